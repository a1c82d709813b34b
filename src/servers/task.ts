/** The main module of a task's worker: the task, and its console. */
import '../tasks/worker-main.ts';
// The first copy of the clock's functions in the agent is the one that all use: it must be the kernel's.
import './clock/api.ts';
import { writeInPlace } from './console/server.ts';
import { joinNames } from './names/api.ts';

// The task's own module is imported later than this, however soon its import has begun.
joinNames();
writeInPlace();
