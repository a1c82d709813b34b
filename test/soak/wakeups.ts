/**
 * Counts of sleeps and wakeups, in memory that all threads of the process share, and of wakeups that were lost: a
 * thread slept a slice to its end, its word had been published meanwhile, and nobody has rung it.
 *
 * Such a thread goes on, a second late. Without the count nobody would know.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

const KEY = 'l3kernel.test.wakeups';
const COUNTS = 16;
/** Rings are counted by word, words that are alike in their low bits together: a few lost ones may hide, not all. */
const RINGS = 2 ** 16;

if (getEnvironmentData(KEY) === undefined) {
  setEnvironmentData(KEY, new SharedArrayBuffer(4 * (COUNTS + RINGS)) as never);
}
const counts = new Int32Array(getEnvironmentData(KEY) as unknown as SharedArrayBuffer);

export const SLEEPS = 0;
/** Sleeps that ended with their timeout or slice. */
export const SLEPT_THROUGH = 1;
export const NOTIFIES = 2;
export const LOST = 3;

export const count = (what: number): void => void Atomics.add(counts, what, 1);
export const countRing = (at: number): void => void Atomics.add(counts, COUNTS + (at & (RINGS - 1)), 1);
export const ringsOf = (at: number): number => Atomics.load(counts, COUNTS + (at & (RINGS - 1)));

export interface Wakeups {
  readonly sleeps: number;
  readonly sleptThrough: number;
  readonly notifies: number;
  readonly lost: number;
}

/** What was counted until now, in all threads. All 0 when the program runs without hooks.ts. */
export const wakeups = (): Wakeups => ({
  sleeps: counts[SLEEPS]!,
  sleptThrough: counts[SLEPT_THROUGH]!,
  notifies: counts[NOTIFIES]!,
  lost: counts[LOST]!,
});
