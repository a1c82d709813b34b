/** The conformance suite for sandboxes, in their caller's agent and in one of their own. */
import { kinds } from './suite-kinds.ts';
import { conformance } from './suite.ts';

conformance(kinds.sandbox);
conformance(kinds['sandbox worker']);
