/** Stands where the sources have `#wait`, when hooks.ts is there: the same, counted. */
import { words } from '../../src/platform/memory.ts';
import * as real from '../../src/platform/wait.ts';
import { PARKED } from '../../src/layout/tcb.ts';
import { count, countRing, LOST, NOTIFIES, ringsOf, SLEEPS, SLEPT_THROUGH } from './wakeups.ts';

export * from '../../src/platform/wait.ts';

/** Who publishes rings at once, unless it does not run: on a crowded machine that may take a while. */
const GRACE_ms = 2000;
const nothing = new Int32Array(new SharedArrayBuffer(4));

export const wait: typeof real.wait = (at, value, timeout_ms) => {
  count(SLEEPS);
  const rings = ringsOf(at);
  const sleptThrough = real.wait(at, value, timeout_ms);
  if (!sleptThrough) return false;
  count(SLEPT_THROUGH);
  // The bit leaves the word with a publication, whose author must ring. Locks of queues have no such bit.
  const isPublished = (value & PARKED) !== 0 && (Atomics.load(words, at) & PARKED) === 0;
  if (!isPublished || ringsOf(at) !== rings) return true;
  Atomics.wait(nothing, 0, 0, GRACE_ms);
  if (ringsOf(at) === rings) count(LOST);
  return true;
};

export const notify: typeof real.notify = (at) => {
  count(NOTIFIES);
  countRing(at);
  real.notify(at);
};
