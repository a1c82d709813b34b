/** The conformance suite for sandboxes in an agent of their own. */
import { kinds } from './suite-kinds.ts';
import { conformance } from './suite.ts';

conformance(kinds['sandbox worker']);
