/**
 * The floor of a long message there and back: a bare hand-over by two counter words, and one `set` of the bytes into
 * the other's shared window each way. The reader reads every line (one word in 64 bytes): a receiver that never looks
 * at what it got would leave the cost of moving the lines out of the figure.
 */

import { awaitRound, GIVEN_UP } from './cacheline.ts';

/** Words in a 64-byte cache line. */
const LINE_WORDS = 16;

/** Reads one word of every line and returns their sum, so that the compiler must keep the loads. */
export function readEveryLine(words: Int32Array): number {
  let sum = 0;
  for (let index = 0; index < words.length; index += LINE_WORDS) sum = (sum + (words[index] as number)) | 0;
  return sum;
}

/** One side's view of the exchange; the two byte arrays are of one length. */
export interface BytesSide {
  /** Private bytes, copied out each round. */
  readonly source: Uint8Array;
  /** The partner's window, which this side writes. */
  readonly theirWindow: Uint8Array;
  /** This side's own window, read after each arrival. */
  readonly ownWindow: Int32Array;
}

/** Copying 64 MiB takes the partner 10 ms and more, through which the client naps; a lost core costs far more naps. */
const NAPS_MAX_A_ROUND = 2_000;

let sink = 0;

/** False: the two agents stood on one core and the block was given up, as in cacheline.ts. */
export function bytesClient(words: Int32Array, mine: number, theirs: number, side: BytesSide, count: number): boolean {
  for (let round = 1; round <= count; round++) {
    side.theirWindow.set(side.source);
    Atomics.store(words, mine, round);
    if (awaitRound(words, theirs, round, NAPS_MAX_A_ROUND) === GIVEN_UP) {
      Atomics.store(words, mine, GIVEN_UP);
      return false;
    }
    sink ^= readEveryLine(side.ownWindow);
  }
  return true;
}

export function bytesServer(words: Int32Array, mine: number, theirs: number, side: BytesSide, count: number): void {
  for (let round = 1; round <= count; round++) {
    if (awaitRound(words, theirs, round, Number.MAX_SAFE_INTEGER) === GIVEN_UP) return;
    sink ^= readEveryLine(side.ownWindow);
    side.theirWindow.set(side.source);
    Atomics.store(words, mine, round);
  }
}
