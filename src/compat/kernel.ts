/**
 * The library as the drop-ins reach it: by its public surface, and only when the first task is started.
 *
 * A drop-in is imported in the workers that it starts too, for the one function that registers the handler there. Those
 * should not pay for a second copy of the kernel, so it is not imported but required, by the name that users know.
 */
import { createRequire } from 'node:module';
import type { SpawnOptions, Task } from '../index.ts';

type Library = typeof import('../index.ts');

/** Where the first copy of the library in an agent leaves its functions for the others. */
const agent = globalThis as { [KEY: symbol]: Library | undefined };
const KEY = Symbol.for('l3kernel.api');

export function library(): Library {
  return agent[KEY] ?? (createRequire(import.meta.url)('l3kernel') as Library);
}

/** Marks a task that must have a thread of its own, `L3_KIND=local` or not: its callers wait for it in place. */
const OWN = Symbol.for('l3kernel.own');

export const ownTask = <T>(module: URL, options: SpawnOptions = {}): Task<T> =>
  library().task<T>(module, { ...options, [OWN]: true } as SpawnOptions);
