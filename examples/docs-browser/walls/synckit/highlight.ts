/** The part `highlight` as a worker of synckit. */
import * as part from '../../tasks/highlight.ts';
import { runPart } from './worker.ts';

runPart(part);
