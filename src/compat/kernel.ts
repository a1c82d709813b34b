/**
 * The library as the drop-ins reach it: by its public surface, and only when the first task is started.
 *
 * A drop-in is imported in the workers that it starts too, for the one function that registers the handler there. Those
 * should not pay for a second copy of the kernel, so it is not imported but required, by the name that users know.
 */
import { createRequire } from 'node:module';

type Library = typeof import('../index.ts');

let loaded: Library | null = null;

export function library(): Library {
  loaded ??= createRequire(import.meta.url)('l3kernel') as Library;
  return loaded;
}
