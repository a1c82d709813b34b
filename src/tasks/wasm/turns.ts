/**
 * What goes on when a promise has settled does so in a microtask. Tasks that are answered at once would keep timers and
 * sockets waiting for ever, so that only so many go on between two turns of the event loop, in their order.
 */
import { setImmediate } from '../../platform/timers.ts';

const PER_TURN = 32;
let left = PER_TURN;
const waiting: (() => void)[] = [];

/** Runs `go` now, or in a later turn of the loop. */
export function inTurn(go: () => void): void {
  if (left === PER_TURN) setImmediate(nextTurn);
  if (left > 0) {
    left--;
    go();
  } else waiting.push(go);
}

function nextTurn(): void {
  left = PER_TURN;
  const now = waiting.splice(0, PER_TURN);
  if (now.length === 0) return;
  left -= now.length;
  setImmediate(nextTurn);
  for (const go of now) go();
}
