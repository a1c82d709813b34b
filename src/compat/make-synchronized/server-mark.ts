/**
 * How a module that synchronizes its own exports knows that it runs in the worker: there the functions are themselves.
 */
const KEY = Symbol.for('l3kernel.make-synchronized');
const agent = globalThis as { [KEY]?: true };

export const markServer = (): void => {
  agent[KEY] = true;
};

export const isServer = (): boolean => agent[KEY] === true;
