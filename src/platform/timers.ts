/**
 * Timers and the clock as they were when this module was evaluated. A test that replaces those of its globals stops
 * the time of the code that it tests, and must not stop calls to other threads, where time goes on.
 */
export const setTimeout: typeof globalThis.setTimeout = globalThis.setTimeout;
export const clearTimeout: typeof globalThis.clearTimeout = globalThis.clearTimeout;
export const setInterval: typeof globalThis.setInterval = globalThis.setInterval;
export const clearInterval: typeof globalThis.clearInterval = globalThis.clearInterval;
export const setImmediate: typeof globalThis.setImmediate = globalThis.setImmediate;
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask;
export const performance: typeof globalThis.performance = globalThis.performance;
