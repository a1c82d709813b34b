/** The part `match` as a worker of synckit. */
import * as part from '../../tasks/match.ts';
import { runPart } from './worker.ts';

runPart(part);
