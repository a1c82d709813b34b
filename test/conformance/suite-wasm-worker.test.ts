/** The conformance suite for wasm tasks in an agent of their own. */
import { kinds } from './suite-kinds.ts';
import { conformance } from './suite.ts';

conformance(kinds['wasm worker']);
