/** The part `store` as a worker of synckit. */
import * as part from '../../tasks/store.ts';
import { runPart } from './worker.ts';

runPart(part);
