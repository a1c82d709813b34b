/**
 * The harness's own cost, measured before anything else in every process: an empty loop and a call that does nothing.
 * When these two move about, the machine is not quiet enough for nanoseconds and the run says so. They are not
 * subtracted: at below 2 ns a round they are the same on both sides of every ratio.
 */
import { now_ms } from './interleave.ts';
import { summarize } from './stats.ts';

export interface Overhead {
  readonly loop_ns: number;
  readonly call_ns: number;
  /** The worse p90 / p10 of the two. */
  readonly spread: number;
}

/** Above this p90 / p10 a loop of a few instructions was disturbed, and so was everything measured beside it. */
export const SPREAD_MAX = 1.25;

const BLOCKS = 11;
const ROUNDS = 500_000;

let sink = 0;

function emptyLoop(rounds: number): void {
  for (let round = 0; round < rounds; round++) sink ^= round;
}

/** Two callees at one site keep the compiler from inlining either away. */
const callees: readonly ((value: number) => number)[] = [(value) => value, (value) => value ^ 1];

function callLoop(rounds: number): void {
  for (let round = 0; round < rounds; round++) sink = (callees[round & 1] as (value: number) => number)(sink);
}

function blocks(loop: (rounds: number) => void): number[] {
  const samples: number[] = [];
  loop(ROUNDS);
  loop(ROUNDS);
  for (let block = 0; block < BLOCKS; block++) {
    const start_ms = now_ms();
    loop(ROUNDS);
    samples.push(((now_ms() - start_ms) * 1e6) / ROUNDS);
  }
  return samples;
}

export function measureOverhead(): Overhead {
  const loop = summarize(blocks(emptyLoop));
  const call = summarize(blocks(callLoop));
  return { loop_ns: loop.median, call_ns: call.median, spread: Math.max(loop.p90 / loop.p10, call.p90 / call.p10) };
}
