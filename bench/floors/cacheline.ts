/**
 * The floor of every call between two agents: a store and a load-spin on two cache lines, one writer each. Nothing that
 * hands a message to another core and back can be quicker, whatever it leaves out.
 *
 * `mine` and `theirs` are word indices into one shared array; each side writes its own line only. Rounds count up from
 * 1, so that both words must be 0 when a block begins.
 *
 * The floor is of two cores. On a crowded machine both agents may stand on one, where every hand-over costs a time
 * slice of milliseconds; a side that has spun far too long naps, and after some naps the client gives the block up. A
 * quick round never gets there.
 */

/** Loads in one spin, about 100 µs, after which the partner is not running. */
const SPIN_LOADS_MAX = 16_384;
/** Long enough for the other agent to be scheduled. */
const NAP_MS = 0.05;
/** Naps in one block, after which it measures the scheduler. */
export const NAPS_MAX = 8;
/** The client's word when it has given up. No round is negative. */
export const GIVEN_UP = -1;

const bed = new Int32Array(new SharedArrayBuffer(4));

function nap(): void {
  Atomics.wait(bed, 0, 0, NAP_MS);
}

/** Waits for `round` in a word. The server's partner may give up; the client itself does after `naps` naps. */
export function awaitRound(words: Int32Array, at: number, round: number, naps: number): number {
  for (;;) {
    for (let loads = 0; loads < SPIN_LOADS_MAX; loads++) {
      const seen = Atomics.load(words, at);
      if (seen === round) return naps;
      if (seen === GIVEN_UP) return GIVEN_UP;
    }
    if (naps === 0) return GIVEN_UP;
    naps--;
    nap();
  }
}

/** The side that begins: stores the round, then waits for the partner to store the same. False: given up. */
export function cachelineClient(words: Int32Array, mine: number, theirs: number, count: number): boolean {
  let naps = NAPS_MAX;
  for (let round = 1; round <= count; round++) {
    Atomics.store(words, mine, round);
    if (Atomics.load(words, theirs) === round) continue;
    naps = awaitRound(words, theirs, round, naps);
    if (naps !== GIVEN_UP) continue;
    Atomics.store(words, mine, GIVEN_UP);
    return false;
  }
  return true;
}

/** The side that answers. */
export function cachelineServer(words: Int32Array, mine: number, theirs: number, count: number): void {
  for (let round = 1; round <= count; round++) {
    if (awaitRound(words, theirs, round, Number.MAX_SAFE_INTEGER) === GIVEN_UP) return;
    Atomics.store(words, mine, round);
  }
}
