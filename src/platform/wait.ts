/**
 * Sleeping on a shared word, and waking who sleeps. `wait` is for threads that may block their agent; `waitDoorbell` is
 * for event loops. A word is waited on by one of the two, never by both: a stale asynchronous waiter would take the
 * wakeup of a blocked one.
 */
import { sayCore } from './handover.ts';
import { words } from './memory.ts';
import { learnSleep } from './patience.ts';
import { letSignalsThrough } from './signals.ts';
import { performance } from './timers.ts';

/**
 * Sleeps while the word holds `value`, at most `timeout_ms`; returns at once if it does not. May wake early. True when
 * it has slept to the end.
 */
export const wait = (at: number, value: number, timeout_ms: number): boolean => {
  letSignalsThrough();
  const began_ms = performance.now();
  const outcome = Atomics.wait(words, at, value, timeout_ms);
  learnSleep(performance.now() - began_ms);
  return outcome === 'timed-out';
};

/** Wakes everybody who sleeps on the word. */
export const notify = (at: number): void => {
  if (sayCore !== null) sayCore();
  Atomics.notify(words, at);
};

/** Resolves when the word no longer holds `value` and somebody rang; `null` when it already holds another. */
export function waitDoorbell(at: number, value: number): Promise<unknown> | null {
  const outcome = Atomics.waitAsync(words, at, value);
  return outcome.async ? outcome.value : null;
}

export { now_ms } from './clock.ts';
export { firstSpin, spinsFor } from './patience.ts';
export { spinLoads } from './spin-loads.ts';
