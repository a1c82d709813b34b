/** The conformance suite for tasks in worker threads. */
import { conformance } from './suite.ts';

conformance({ kind: 'worker', apart: true });
