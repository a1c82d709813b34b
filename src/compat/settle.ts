/**
 * Promises that settle without the event loop, settled in place.
 *
 * A handler declared `async` gives a promise even when it waits for nothing. To learn its value the server thread would
 * have to leave the place where it waits for calls and let the loop turn, which costs ten times the call. So Node's
 * queue of ticks and microtasks is run here, on the handler's own stack; what is still pending then is really waiting.
 */
import { setImmediate } from '../platform/timers.ts';

type Drain = () => void;

/** Null where Node has taken it away: then every promise takes the way through the loop. */
export const drain: Drain | null = (process as unknown as { _tickCallback?: Drain })._tickCallback ?? null;

export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

/** The value of a promise that settles by microtasks alone, or what it rejects with, thrown; else the promise. */
export function settle(result: unknown): unknown {
  if (drain === null || !isThenable(result)) return result;
  let state: 'pending' | 'fulfilled' | 'rejected' = 'pending';
  let settled: unknown;
  result.then(
    (value) => {
      state = 'fulfilled';
      settled = value;
    },
    (error: unknown) => {
      state = 'rejected';
      settled = error;
    },
  );
  try {
    drain();
  } catch (error) {
    // Of a tick of somebody else's: nobody catches it there either.
    setImmediate(() => {
      throw error;
    });
  }
  // The assignments happened in the callbacks, which the checker cannot see.
  const now = state as 'pending' | 'fulfilled' | 'rejected';
  if (now === 'pending') return result;
  if (now === 'rejected') throw settled;
  return settled;
}
