/**
 * A wasm module in an agent of its own: `kind: 'worker'` for a `.wasm` file. The worker's module is then ours; it
 * spawns the wasm task in its own agent and exports what that exports (apart-main.ts). So a loop has a processor of its
 * own to hold, a timeout ends the wait for it, and `kill` or `onTimeout: 'kill'` ends the task.
 *
 * What the worker must know of the spawner's options stands in the url's fragment, which travels wherever the url does:
 * to restarts and to spares too.
 */
import type { AnyFunction, SpawnOptions, TaskKind } from '../../rpc/types.ts';
import { boundsOf } from './compile.ts';
import { isTask } from './imports.ts';

/** The options of the wasm task, as data. */
export interface Apart {
  readonly memory: SpawnOptions['memory'];
  readonly wasi: SpawnOptions['wasi'];
  /** Names of the granted functions, as `module.name`. */
  readonly granted: readonly string[];
}

const ONLY_WASM = ['memory', 'imports', 'wasi'] as const;

export const isWasm = (url: URL): boolean => url.pathname.endsWith('.wasm');

/** Url and options of a task as its host takes them. Throws a TypeError for an option that it cannot have. */
export function place(url: URL, kind: TaskKind, options: SpawnOptions): { url: URL; options: SpawnOptions } {
  if (kind === 'wasm') return { url, options };
  if (kind !== 'worker' || !isWasm(url)) {
    for (const name of ONLY_WASM) {
      if (options[name] !== undefined) throw new TypeError(`spawn(): '${name}' is an option of wasm modules`);
    }
    return { url, options };
  }
  const { memory, wasi, imports = {}, host = {}, ...rest } = options;
  boundsOf({ memory });
  const functions: Record<string, AnyFunction> = {};
  for (const [module, source] of Object.entries({ host, ...imports })) {
    if (isTask(source)) throw new TypeError(`imports.${module}: a wasm task in a worker is granted functions only`);
    for (const [name, fn] of Object.entries(source)) functions[`${module}.${name}`] = fn as AnyFunction;
  }
  const stated: Apart = { memory, wasi, granted: Object.keys(functions) };
  const marked = new URL(url);
  marked.hash = encodeURIComponent(JSON.stringify(stated));
  return { url: marked, options: { ...rest, host: functions } };
}

/** The options in a url that `apart` has made. */
export const statedIn = (url: URL): Apart => JSON.parse(decodeURIComponent(url.hash.slice(1))) as Apart;
