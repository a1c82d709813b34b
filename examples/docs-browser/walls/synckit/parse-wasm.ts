/** The part `parse` with md4w as a worker of synckit. */
import * as part from '../../tasks/parse-wasm.ts';
import { runPart } from './worker.ts';

runPart(part);
