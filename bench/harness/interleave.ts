/**
 * Interleaved measurement. A *side* runs a stated number of rounds and says how long they took; a *pair* is one block
 * of the subject and one block of its floor, run directly after each other in the same process. Clock speed, neighbours
 * on the machine and the placement of lines are then the same for both, and their ratio keeps what the nanoseconds
 * lose.
 *
 * Invariant: a side times itself, from after its own hand-shake to its last round, so that waking a parked partner
 * (60 µs on another core) is in neither side's figure. The order within a pair alternates, so that neither side always
 * inherits the other's warm or cold caches.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pair } from './stats.ts';

/** Runs `count` rounds and returns the milliseconds they took; asynchronous sides return a promise of it. */
export type Side = (count: number) => number | Promise<number>;

/** What is known of one side of a row: kept from one placement to the next, so that calibration is paid once. */
export interface Pace {
  /** Rounds that fill a block, as the last block showed. */
  count: number;
  readonly block_ms: number;
}

export interface Calibration {
  readonly subject: Pace;
  readonly floor: Pace;
  /** The best floor so far. */
  floorBest_ns: number;
  /** Pairs begun; odd ones begin with the floor. */
  turn: number;
}

const ROUNDS_MAX = 1 << 24;

/** What a side returns when its two agents stood on one core: nothing was measured, and the pair is taken again. */
export const DISPLACED = Number.POSITIVE_INFINITY;

/** Long enough for V8 to compile a call's path, in the background, with its best compiler. */
const WARM_MS = 150;

/** Tries of one block before it is left out. */
const TRIES_MAX = 7;
/** Tries of a pair whose floor was an outlier. */
const PAIR_TRIES_MAX = 4;
/**
 * The scheduler soon moves one of two spinning threads to a free core, if there is one; each try waits twice as long.
 */
const SETTLE_MS = 5;

/**
 * A floor this many times above the best that this row has seen was displaced for a part of its block. Only floors are
 * judged so: to leave out slow blocks of the subject would flatter it.
 */
const FLOOR_OUTLIER = 8;

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

/**
 * Calls that run before the clock starts, so long: the partner has parked during the block before, its wakeup may have
 * put it on this very core, and Linux takes two of its ticks to part them.
 */
export const SETTLE_ROUNDS_MS = 10;

/** As `timed`, for calls whose partner parks between blocks: measures the steady state of a conversation. */
export function timedSettled(loop: (count: number) => void): Side {
  return (count) => {
    const part = Math.max(1, count >> 4);
    for (const end_ms = now_ms() + SETTLE_ROUNDS_MS; now_ms() < end_ms;) loop(part);
    const start_ms = now_ms();
    loop(count);
    return now_ms() - start_ms;
  };
}

/** The same for a loop that awaits. */
export function timedAsyncSettled(loop: (count: number) => Promise<void>): Side {
  return async (count) => {
    const part = Math.max(1, count >> 4);
    for (const end_ms = now_ms() + SETTLE_ROUNDS_MS; now_ms() < end_ms;) await loop(part);
    const start_ms = now_ms();
    await loop(count);
    return now_ms() - start_ms;
  };
}

/** As `timed`, for a loop that awaits. */
export function timedAsync(loop: (count: number) => Promise<void>): Side {
  return async (count) => {
    const start_ms = now_ms();
    await loop(count);
    return now_ms() - start_ms;
  };
}

/**
 * One block, as nanoseconds a round. A displaced block is tried again, each time half as long: on a crowded machine
 * both cores are free for a few milliseconds at a time. The pace follows what the block showed, so that a subject that
 * has become a hundred times slower does not hold the run up.
 */
async function nsPerRound(side: Side, pace: Pace): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const count = Math.max(1, pace.count >> tries);
    const elapsed_ms = await side(count);
    if (elapsed_ms !== DISPLACED) {
      if (elapsed_ms > pace.block_ms * 2 || (tries === 0 && elapsed_ms < pace.block_ms / 2)) {
        pace.count = roundsFor(count, elapsed_ms, pace.block_ms);
      }
      return (elapsed_ms * 1e6) / count;
    }
    await sleep(SETTLE_MS << tries);
  }
  return DISPLACED;
}

function roundsFor(count: number, elapsed_ms: number, block_ms: number): number {
  const full = Math.round((count * block_ms) / Math.max(elapsed_ms, 1e-6));
  return Math.min(Math.max(full, 1), ROUNDS_MAX);
}

/**
 * Finds the rounds that fill a block. The doubling doubles as warm-up: the compiler has seen the loop many times. A
 * block counts as filled when two in a row were: the first may have waited for a worker to start, or been preempted.
 */
export async function calibrate(side: Side, block_ms: number): Promise<Pace> {
  let count = 1;
  let before_ms = 0;
  let elapsed_ms = await side(count);
  for (let displaced = 0; Math.min(before_ms, elapsed_ms) < block_ms / 4 && count < ROUNDS_MAX;) {
    // A block that was filled once is run again as it is; one that was not is doubled.
    if (elapsed_ms < block_ms / 4) count *= 2;
    const next_ms = await side(count);
    if (next_ms === DISPLACED) {
      if (++displaced === TRIES_MAX) break;
      await sleep(SETTLE_MS << displaced);
      continue;
    }
    before_ms = elapsed_ms;
    elapsed_ms = next_ms;
  }
  // Displaced throughout at this length: the shorter blocks before were not, and nsPerRound tries shorter ones still.
  const best_ms = Math.min(before_ms === 0 ? elapsed_ms : before_ms, elapsed_ms, block_ms);
  return { count: roundsFor(count, best_ms, block_ms), block_ms };
}

/** Blocks of the subject until it has run for WARM_MS: a new agent interprets its first thousands of calls. */
export async function warm(subject: Side, pace: Pace): Promise<void> {
  const end_ms = now_ms() + WARM_MS;
  const part = Math.max(1, pace.count >> 3);
  while (now_ms() < end_ms) await subject(part);
}

export async function calibratePair(subject: Side, floor: Side, block_ms: number): Promise<Calibration> {
  return {
    subject: await calibrate(subject, block_ms),
    floor: await calibrate(floor, block_ms),
    floorBest_ns: Number.POSITIVE_INFINITY,
    turn: 0,
  };
}

async function takePair(subject: Side, floor: Side, known: Calibration, floorFirst: boolean): Promise<Pair> {
  const early_ns = floorFirst ? await nsPerRound(floor, known.floor) : 0;
  const ns = await nsPerRound(subject, known.subject);
  const floor_ns = floorFirst ? early_ns : await nsPerRound(floor, known.floor);
  known.floorBest_ns = Math.min(known.floorBest_ns, floor_ns);
  return { ns, floor_ns };
}

/** Runs A B B A A B … for the stated number of pairs. Pairs that were displaced in every try are left out. */
export async function interleave(subject: Side, floor: Side, known: Calibration, pairs: number): Promise<Pair[]> {
  const taken: Pair[] = [];
  for (let index = 0; index < pairs; index++) {
    for (let tries = 0; tries < PAIR_TRIES_MAX; tries++) {
      const pair = await takePair(subject, floor, known, (known.turn++ & 1) === 1);
      if (Number.isFinite(pair.ns) && pair.floor_ns < known.floorBest_ns * FLOOR_OUTLIER) {
        taken.push(pair);
        break;
      }
    }
  }
  return taken;
}
