/** Stands where the kernel has `#wait`: an agent may die before it rings, and before it sleeps. */
import * as real from '../../src/platform/wait.ts';
import { point } from './points-seam.ts';

export * from '../../src/platform/wait.ts';

export const notify: typeof real.notify = (at) => {
  point();
  real.notify(at);
};
export const wait: typeof real.wait = (at, value, timeout_ms) => {
  point();
  return real.wait(at, value, timeout_ms);
};
