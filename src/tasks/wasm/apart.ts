/**
 * A wasm module, or a sandbox, in an agent of its own: `kind: 'worker'` for a `.wasm` file or with an `engine`. The
 * worker's module is then ours; it spawns the wasm task in its own agent and exports what that exports (apart-main.ts).
 * So a loop has a processor of its own to hold, a timeout ends the wait for it, and `kill` or `onTimeout: 'kill'` ends
 * the task.
 *
 * What the worker must know of the spawner's options stands in the url's fragment, which travels wherever the url does:
 * to restarts and to spares too.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import type { AnyFunction, ConsoleLevel, SpawnOptions, TaskKind } from '../../rpc/types.ts';
import { boundsOf as sandboxBounds } from '../quickjs/limits.ts';
import { boundsOf, taskBoundsOf } from './compile.ts';
import { isTask } from './imports.ts';

/** The options of the wasm task, as data. */
export interface Apart {
  readonly memory: SpawnOptions['memory'];
  readonly limits: SpawnOptions['limits'];
  readonly wasi: SpawnOptions['wasi'];
  /** Names of the granted functions, as `module.name`. */
  readonly granted: readonly string[];
}

/** The options of a sandbox, as data. What are functions there are functions of the worker's host, by these names. */
export interface Sandbox {
  readonly memory: SpawnOptions['memory'];
  readonly limits: SpawnOptions['limits'];
  readonly timeout: number | undefined;
  readonly modules: Readonly<Record<string, string>> | 'asked' | undefined;
  readonly console: 'inherit' | 'ignore' | 'asked' | undefined;
  readonly host: readonly (readonly [name: string, isAsync: boolean])[];
}

export const LOAD = 'l3:load';
export const PRINT = 'l3:print';

const ONLY_WASM = ['thread', 'memory', 'limits', 'imports', 'wasi'] as const;
const ONLY_SANDBOX = ['modules', 'console'] as const;
/** Begins the fragment of a sandbox's url. */
const SANDBOX = '#l3-sandbox=';

/** A directory of the host as an absolute path: another agent may have another idea of the present one. */
export const pathOf = (path: string | URL): string => (path instanceof URL ? fileURLToPath(path) : resolve(path));

function absolute(wasi: SpawnOptions['wasi']): SpawnOptions['wasi'] {
  if (typeof wasi !== 'object') return wasi;
  const preopens = Object.entries(wasi.preopens).map(([name, path]) => [name, pathOf(path)]);
  return { ...wasi, preopens: Object.fromEntries(preopens) as Record<string, string> };
}

export const isWasm = ({ protocol, pathname }: URL): boolean =>
  protocol === 'data:' ? pathname.startsWith('application/wasm') : pathname.endsWith('.wasm');

/** Url and options of a task as its host takes them. Throws a TypeError for an option that it cannot have. */
export function place(url: URL, kind: TaskKind, options: SpawnOptions): { url: URL; options: SpawnOptions } {
  if (options.engine !== undefined) {
    if (kind === 'local') throw new TypeError("a sandbox is of kind 'wasm', or of kind 'worker'; not 'local'");
    return kind === 'worker' ? sandboxApart(url, options) : { url, options };
  }
  for (const name of ONLY_SANDBOX) {
    if (options[name] !== undefined)
      throw new TypeError(`spawn(): '${name}' is an option of sandboxes; state an engine`);
  }
  if (kind === 'wasm') return { url, options };
  if (kind !== 'worker' || !isWasm(url)) {
    for (const name of ONLY_WASM) {
      if (options[name] !== undefined) throw new TypeError(`spawn(): '${name}' is an option of wasm modules`);
    }
    return { url, options };
  }
  const { thread, memory, limits, wasi, imports = {}, host = {}, ...rest } = options;
  if (thread !== undefined && thread !== 'worker') {
    throw new TypeError(`thread: '${thread}' is for tasks of kind 'wasm', not of kind 'worker'`);
  }
  boundsOf({ memory, limits });
  taskBoundsOf({ limits });
  if (limits?.time !== undefined) {
    throw new TypeError("limits.time is for tasks of the main thread; a worker takes timeout and onTimeout: 'kill'");
  }
  const functions: Record<string, AnyFunction> = {};
  for (const [module, source] of Object.entries({ host, ...imports })) {
    if (isTask(source)) throw new TypeError(`imports.${module}: a wasm task in a worker is granted functions only`);
    for (const [name, fn] of Object.entries(source)) functions[`${module}.${name}`] = fn as AnyFunction;
  }
  const stated: Apart = { memory, limits, wasi: absolute(wasi), granted: Object.keys(functions) };
  const marked = new URL(url);
  marked.hash = encodeURIComponent(JSON.stringify(stated));
  return { url: marked, options: { ...rest, host: functions } };
}

function sandboxApart(url: URL, options: SpawnOptions): { url: URL; options: SpawnOptions } {
  const { memory, limits, modules, console: to, host = {}, engine: _, thread: __, ...rest } = options;
  sandboxBounds({ memory, limits });
  const granted = Object.entries(host).filter(([, fn]) => typeof fn === 'function');
  const functions: Record<string, AnyFunction> = Object.fromEntries(granted);
  if (typeof modules === 'function') functions[LOAD] = modules;
  if (typeof to === 'function') functions[PRINT] = (level: ConsoleLevel, text: string) => to(level, text);
  const stated: Sandbox = {
    memory,
    limits,
    timeout: options.timeout,
    modules: typeof modules === 'function' ? 'asked' : modules,
    console: typeof to === 'function' ? 'asked' : to,
    host: granted.map(([name, fn]) => [name, types.isAsyncFunction(fn)]),
  };
  const marked = new URL(url);
  marked.hash = SANDBOX + encodeURIComponent(JSON.stringify(stated));
  return { url: marked, options: { ...rest, host: functions } };
}

/** The options of the sandbox that a url was made for, or null. */
export const sandboxIn = ({ hash }: URL): Sandbox | null =>
  hash.startsWith(SANDBOX) ? (JSON.parse(decodeURIComponent(hash.slice(SANDBOX.length))) as Sandbox) : null;

/** The options in a url that `apart` has made. */
export const statedIn = (url: URL): Apart => JSON.parse(decodeURIComponent(url.hash.slice(1))) as Apart;
