/**
 * How a part fails on purpose, for the page `/system` and the second table. The modules that run behind the walls
 * export this beside their own functions; the parts themselves, and the packages in them, know nothing of it.
 */
import { lookup } from 'l3kernel';

export type Failure = 'loop' | 'exit' | 'heap' | 'throw';

/** Never returns: loops for ever, ends the process it thinks it is, takes all the memory it can get, or throws. */
export function breakDown(failure: Failure): never {
  switch (failure) {
    case 'loop':
      for (;;);
    case 'exit':
      return process.exit(1);
    case 'heap':
      return exhaustHeap();
    case 'throw':
      throw new TypeError('broken on purpose');
  }
}

/** Fills the heap with arrays that stay reachable; large ones, so that it is full soon. */
function exhaustHeap(): never {
  const kept: number[][] = [];
  for (;;) kept.push(new Array<number>(2 ** 20).fill(1));
}

/** Calls the first of these tasks, which calls the next: a ring when the last one called is waiting for an answer. */
export function callRing([next, ...others]: readonly string[]): void {
  if (next !== undefined) lookup<{ callRing: typeof callRing }>(next).sync.callRing(others);
}
