/** The conformance suite for tasks in the caller's own agent. */
import { kinds } from './suite-kinds.ts';
import { conformance } from './suite.ts';

conformance(kinds.local);
