/** The part `stem` as a worker of synckit. */
import * as part from 'stemmer';
import { runPart } from './worker.ts';

runPart(part);
