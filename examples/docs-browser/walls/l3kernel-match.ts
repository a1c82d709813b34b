/** The matcher as a task of l3kernel: the part as it is, and its ways to fail on purpose. */
export { check, compile, find } from '../tasks/match.ts';
export { breakDown, callRing } from './break-down.ts';
