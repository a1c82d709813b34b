/** The conformance suite for tasks in the caller's own agent. */
import { conformance } from './suite.ts';

conformance({ kind: 'local', apart: false });
