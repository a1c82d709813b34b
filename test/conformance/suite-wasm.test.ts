/** The conformance suite for wasm tasks, by kind of thread. */
import { kinds } from './suite-kinds.ts';
import { conformance } from './suite.ts';

conformance(kinds['wasm passive']);
conformance(kinds['wasm jspi']);
conformance(kinds['wasm worker']);
