/** How much each thread did between two snapshots. */
import type { Snapshot, ThreadView } from './snapshot.ts';

/** Per second: messages sent, bytes of strings sent, times parked. */
export interface Rates {
  readonly ipc_per_s: number;
  readonly bytes_per_s: number;
  readonly parks_per_s: number;
}

export const NO_RATES: Rates = { ipc_per_s: 0, bytes_per_s: 0, parks_per_s: 0 };

/** Rates by thread id. A thread that is new in the second snapshot counts from its making. */
export function ratesBetween(before: Snapshot, after: Snapshot): Map<number, Rates> {
  const earlier = new Map(before.threads.map((thread) => [thread.id, thread]));
  const seconds = (after.time_ms - before.time_ms) / 1000;
  return new Map(after.threads.map((thread) => [thread.id, rateOf(earlier.get(thread.id), thread, seconds)]));
}

function rateOf(before: ThreadView | undefined, after: ThreadView, seconds: number): Rates {
  if (seconds <= 0) return NO_RATES;
  // The totals wrap; their difference does not.
  const perSecond = (from: number | undefined, to: number): number => ((to - (from ?? 0)) >>> 0) / seconds;
  return {
    ipc_per_s: perSecond(before?.sent, after.sent),
    bytes_per_s: perSecond(before?.bytes, after.bytes),
    parks_per_s: perSecond(before?.parks, after.parks),
  };
}
