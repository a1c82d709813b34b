/**
 * What the programs of scenarios say to the explorer, beside what they say to the kernel. These functions never run:
 * the explorer stands in their place, as it stands in the place of #atomics.
 */
const absent = (): never => {
  throw new Error('this runs under the explorer only');
};

/** Writes one entry into the log of this agent: what the scenario's check looks at in the end. */
export const note: (what: number, a?: number, b?: number) => void = absent;
/** Ends the exploration with a failure, named by its number in `claims`, when `holds` is false. */
export const claimThat: (holds: boolean, claim: number) => void = absent;
/** Waits until agent number `agent` has ended or was killed. True when it was killed. */
export const awaitEnd: (agent: number) => boolean = absent;
/**
 * Waits until one of two agents was killed, of those that are meant: 1 the first, 2 the second, 3 both. Which of them
 * were, in the same numbers.
 */
export const awaitDeath: (first: number, second: number, meant: number) => number = absent;
/** A private buffer of bytes that repeat at no small distance. */
export const makeBuffer: (length: number, seed: number) => Uint8Array = absent;
/** Whether the first `length` bytes of a buffer are those that `makeBuffer` makes. */
export const holdsPattern: (buffer: Uint8Array, length: number, seed: number) => boolean = absent;
