/** The conformance suite for wasm tasks in their caller's agent, by kind of thread. */
import { kinds } from './suite-kinds.ts';
import { conformance } from './suite.ts';

conformance(kinds['wasm passive']);
conformance(kinds['wasm jspi']);
