/** The far side of the rows about ends: as a task, and as a bare worker that is told how to end in its workerData. */
import { parentPort, workerData } from 'node:worker_threads';

/** `sign` takes the time of the last sign of life: nanoseconds of the process's monotonic clock. */
export function exit(sign: Float64Array): void {
  sign[0] = Number(process.hrtime.bigint());
  process.exit(0);
}

/** Spins from when `ready` has been called on. */
export function spin(ready?: () => void): void {
  ready?.();
  for (;;);
}

export function add(left: number, right: number): number {
  return left + right;
}

const bare = (workerData as { bareEnd?: Float64Array | 'spin' } | null)?.bareEnd;
if (bare === 'spin') {
  parentPort?.postMessage('ready');
  spin();
} else if (bare !== undefined) exit(bare);
