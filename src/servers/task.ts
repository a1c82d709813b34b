/** The main module of a task's worker: the task, and its console. */
import '../tasks/worker-main.ts';
import { writeInPlace } from './console/server.ts';

// The task's own module is imported later than this, however soon its import has begun.
writeInPlace();
