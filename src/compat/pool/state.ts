/**
 * What a thread of a pool knows of itself. The runner states it, and the pool's module, imported by the user's code
 * there, reads it.
 */

export interface ThreadState {
  readonly workerId: number;
  readonly workerData: unknown;
}

const KEY = Symbol.for('l3kernel.pool');
const agent = globalThis as { [KEY]?: ThreadState };

export const setThreadState = (state: ThreadState): void => {
  agent[KEY] = state;
};

/** Undefined outside the threads of a pool. */
export const threadState = (): ThreadState | undefined => agent[KEY];
