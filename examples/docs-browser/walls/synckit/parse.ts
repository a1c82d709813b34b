/** The part `parse` as a worker of synckit. */
import * as part from '../../tasks/parse.ts';
import { runPart } from './worker.ts';

runPart(part);
