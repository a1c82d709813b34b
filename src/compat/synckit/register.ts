/**
 * How the user's module, which imports a copy of synckit of its own, reaches the runner that has loaded it.
 */

export type Handler = (...args: any[]) => unknown;
type Register = (fn: Handler) => void;

const KEY = Symbol.for('l3kernel.synckit');
const agent = globalThis as { [KEY]?: Register };

export const setRegister = (register: Register): void => {
  agent[KEY] = register;
};

/** Undefined where no runner of ours runs. */
export const findRegister = (): Register | undefined => agent[KEY];
