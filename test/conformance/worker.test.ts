/** The conformance suite for tasks in worker threads. */
import { kinds } from './suite-kinds.ts';
import { conformance } from './suite.ts';

conformance(kinds.worker);
