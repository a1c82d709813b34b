/**
 * The module of a synckit worker: loads the user's file, which registers its handler by `runAsWorker`, and calls that.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Chunk } from '../output.ts';
import { Served } from '../served.ts';
import type { Slate } from '../slate.ts';
import type { GlobalShim } from './constants.ts';
import { type Handler, setRegister } from './register.ts';

export interface Start {
  readonly slate: Slate;
  readonly path: string;
  readonly isCommonJs: boolean;
  readonly shims: readonly GlobalShim[];
}

let served: Served | null = null;
let isLoaded = false;
let handler: Handler | null = null;
const registered = Promise.withResolvers<Handler>();
registered.promise.catch(() => {});

/** Loads the file. What it throws is thrown by the calls. */
export function open(start: Start): void {
  if (served !== null) return;
  const now = (served = new Served(start.slate, whyEnded));
  setRegister((fn) => {
    handler ??= fn;
    now.begin();
    registered.resolve(handler);
  });
  load(start).then(
    () => {
      isLoaded = true;
    },
    (error: unknown) => registered.reject(error),
  );
}

function whyEnded(): Error {
  return new Error(
    isLoaded
      ? 'Worker exited with code 0: its module has not called runAsWorker()'
      : 'Worker exited with code 0: its module waits for a promise that nothing can settle any more',
  );
}

async function load({ path, isCommonJs, shims }: Start): Promise<void> {
  const require = createRequire(path);
  for (const shim of shims) await applyShim(shim, require);
  if (isCommonJs) require(path);
  else await import(pathToFileURL(path).href);
}

async function applyShim({ moduleName, globalName, named, conditional }: GlobalShim, require: NodeJS.Require) {
  const scope = globalThis as Record<string, unknown>;
  // A shim that is not installed is none.
  const place = resolved(moduleName, require);
  if (place === undefined) return;
  const module = (await import(place)) as Record<string, unknown>;
  if (globalName === undefined || (conditional !== false && scope[globalName])) return;
  const name = named?.trim() || 'default';
  scope[globalName] = named === null ? module : module[name];
}

function resolved(moduleName: string, require: NodeJS.Require): string | undefined {
  try {
    const place = require.resolve(moduleName);
    return place.startsWith('/') || /^[A-Za-z]:/.test(place) ? pathToFileURL(place).href : place;
  } catch {
    return undefined;
  }
}

export function call(...args: unknown[]): unknown {
  const fn = handler;
  return served!.run(fn === null ? () => registered.promise.then((late) => late(...args)) : () => fn(...args));
}

export const takeOutput = (): Chunk[] => served!.output.take();
