/** The conformance suite for sandboxes in their caller's agent. */
import { kinds } from './suite-kinds.ts';
import { conformance } from './suite.ts';

conformance(kinds.sandbox);
