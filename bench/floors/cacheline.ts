/**
 * The floor of every call between two agents: a store and a load-spin on two cache lines, one writer each. Nothing that
 * hands a message to another core and back can be quicker, whatever it leaves out.
 *
 * `mine` and `theirs` are word indices into one shared array; each side writes its own line only. The rounds count up
 * from 1, so both words must be 0 when a block begins; the client's block leaves them at `count`, and its next block
 * first puts both back while the server is not looking.
 */

/** The side that begins: stores the round, then waits for the partner to store the same. */
export function cachelineClient(words: Int32Array, mine: number, theirs: number, count: number): void {
  for (let round = 1; round <= count; round++) {
    Atomics.store(words, mine, round);
    while (Atomics.load(words, theirs) !== round);
  }
}

/** The side that answers. */
export function cachelineServer(words: Int32Array, mine: number, theirs: number, count: number): void {
  for (let round = 1; round <= count; round++) {
    while (Atomics.load(words, theirs) !== round);
    Atomics.store(words, mine, round);
  }
}
