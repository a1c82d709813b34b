/**
 * Interleaved measurement. A *side* runs a stated number of rounds and says how long they took; a *pair* is one block of
 * the subject and one block of its floor, run directly after each other in the same process. Clock speed, neighbours on
 * the machine and the placement of lines are then the same for both, and their ratio keeps what the nanoseconds lose.
 *
 * Invariant: a side times itself, from after its own hand-shake to its last round, so that waking a parked partner
 * (60 µs on another core) is in neither side's figure. The order within a pair alternates, so that neither side always
 * inherits the other's warm or cold caches.
 */
import type { Pair } from './stats.ts';

/** Runs `count` rounds and returns the milliseconds they took; asynchronous sides return a promise of it. */
export type Side = (count: number) => number | Promise<number>;

export interface Blocks {
  readonly block_ms: number;
  readonly pairs: number;
}

/** Rounds a block for both sides; kept from one placement to the next, so that calibration is paid once. */
export interface Counts {
  subject: number;
  floor: number;
}

const ROUNDS_MAX = 1 << 24;

/** Milliseconds of the monotonic clock, with a resolution below a microsecond. */
export function now_ms(): number {
  return performance.now();
}

/** A side from a plain loop body: the loop is written by the caller, since a callback a round would cost a call. */
export function timed(loop: (count: number) => void): Side {
  return (count) => {
    const start_ms = now_ms();
    loop(count);
    return now_ms() - start_ms;
  };
}

/** The same for a loop that awaits. */
export function timedAsync(loop: (count: number) => Promise<void>): Side {
  return async (count) => {
    const start_ms = now_ms();
    await loop(count);
    return now_ms() - start_ms;
  };
}

/**
 * Finds the rounds that fill a block. The doubling doubles as warm-up: the compiler has seen the loop many times. A block
 * counts as filled when two in a row were: the first may have waited for a worker to start, or been preempted.
 */
export async function calibrate(side: Side, block_ms: number): Promise<number> {
  let count = 1;
  let before_ms = 0;
  let elapsed_ms = await side(count);
  while (Math.min(before_ms, elapsed_ms) < block_ms / 4 && count < ROUNDS_MAX) {
    // A block that was filled once is run again as it is; one that was not is doubled.
    if (elapsed_ms < block_ms / 4) count *= 2;
    before_ms = elapsed_ms;
    elapsed_ms = await side(count);
  }
  const full = Math.round((count * block_ms) / Math.max(Math.min(before_ms, elapsed_ms), 1e-6));
  return Math.min(Math.max(full, 1), ROUNDS_MAX);
}

export async function calibratePair(subject: Side, floor: Side, block_ms: number): Promise<Counts> {
  return { subject: await calibrate(subject, block_ms), floor: await calibrate(floor, block_ms) };
}

async function nsPerRound(side: Side, count: number): Promise<number> {
  return ((await side(count)) * 1e6) / count;
}

/** Runs A B B A A B … for the stated number of pairs. */
export async function interleave(subject: Side, floor: Side, counts: Counts, pairs: number): Promise<Pair[]> {
  const taken: Pair[] = [];
  for (let index = 0; index < pairs; index++) {
    if (index % 2 === 0) {
      const ns = await nsPerRound(subject, counts.subject);
      taken.push({ ns, floor_ns: await nsPerRound(floor, counts.floor) });
    } else {
      const floor_ns = await nsPerRound(floor, counts.floor);
      taken.push({ ns: await nsPerRound(subject, counts.subject), floor_ns });
    }
  }
  return taken;
}
