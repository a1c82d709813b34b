/** The part `parse` with markdown-it as a worker of synckit. */
import * as part from '../../tasks/parse-worker.ts';
import { runPart } from './worker.ts';

runPart(part);
