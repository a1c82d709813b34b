/** Time as the kernel counts it: whole milliseconds since boot, so that 32 bits last for 24 days (paper 5.3.3). */
import { HEADER_EPOCH_HIGH, HEADER_EPOCH_LOW } from '../layout/map.ts';
import { peek, poke } from './atomics.ts';
import { performance } from './timers.ts';

const HIGH = 2 ** 31;

/** Sets the epoch of a new system to now. */
export function startClock(): void {
  const epoch_ms = Math.floor(performance.timeOrigin + performance.now());
  poke(HEADER_EPOCH_LOW, epoch_ms % HIGH);
  poke(HEADER_EPOCH_HIGH, Math.floor(epoch_ms / HIGH));
}

let offset_ms = Number.NaN;

/** Milliseconds since the system booted, the same in all its agents. */
export function now_ms(): number {
  if (Number.isNaN(offset_ms)) {
    offset_ms = performance.timeOrigin - (peek(HEADER_EPOCH_HIGH) * HIGH + peek(HEADER_EPOCH_LOW));
  }
  return Math.floor(performance.now() + offset_ms);
}
