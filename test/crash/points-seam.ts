/**
 * Stands where the kernel has `#atomics` in an agent that is to die: it counts what the agent writes, and before the
 * n-th write the agent stops for good, so that it can be terminated exactly there.
 */
import * as real from '../../src/platform/atomics.ts';

export * from '../../src/platform/atomics.ts';

/** Writes left until the end; negative when nobody is to die. */
let left = -1;
let stop = (): void => {};

/** From now on the agent ends before its n-th write. */
export function arm(writes: number, atEnd: () => void): void {
  left = writes;
  stop = atEnd;
}

/** A place where an agent may die. */
export function point(): void {
  if (left > 0 && --left === 0) stop();
}

export const compareExchange: typeof real.compareExchange = (at, expected, next) => {
  point();
  return real.compareExchange(at, expected, next);
};
export const exchange: typeof real.exchange = (at, value) => {
  point();
  return real.exchange(at, value);
};
export const store: typeof real.store = (at, value) => {
  point();
  real.store(at, value);
};
export const add: typeof real.add = (at, value) => {
  point();
  return real.add(at, value);
};
export const poke: typeof real.poke = (at, value) => {
  point();
  real.poke(at, value);
};
export const putBytes: typeof real.putBytes = (at, source, start, length) => {
  point();
  real.putBytes(at, source, start, length);
};
export const moveBytes: typeof real.moveBytes = (to, from, length) => {
  point();
  real.moveBytes(to, from, length);
};
