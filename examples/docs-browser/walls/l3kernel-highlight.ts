/** The highlighter as a task of l3kernel: the part as it is, and its ways to fail on purpose. */
export { highlight } from '../tasks/highlight.ts';
export { breakDown, callRing } from './break-down.ts';
