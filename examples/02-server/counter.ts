/**
 * A server: a task that other tasks find by its name. It keeps a count for each client. Who a client is comes from the
 * kernel (`here.sender`), not from what the client says, so no client can count in another's name.
 */
import { here } from 'l3kernel';

const counts = new Map<number, number>();

/** Adds to the caller's own count and gives it. */
export function increase(by: number): number {
  const count = (counts.get(here.sender) ?? 0) + by;
  counts.set(here.sender, count);
  return count;
}

/** All counts together, and how many clients there were. */
export function total(): { clients: number; sum: number } {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return { clients: counts.size, sum };
}

/** A defect: never returns, and does not give the event loop a turn either. */
export function hang(): never {
  for (;;);
}
