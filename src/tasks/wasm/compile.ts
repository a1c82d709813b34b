/**
 * From a url to a compiled module: read once, compiled once, instantiated as often as it is spawned. The cache knows a
 * file by its url, time and size, so that a file that was built anew is read anew.
 */
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { UPCALL_DEPTH_MAX } from '../../layout/params.ts';
import type { SpawnOptions } from '../../rpc/types.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { checkNested } from '../checks.ts';
import { type Bounds, excessOf, limited, type Shape, shapeOf } from './shape.ts';
import { type TaskBounds, UNLIMITED } from './record.ts';
import { heedful } from './interrupts.ts';
import { isCallable } from './signature.ts';
import { numbered, stubModule } from './stacks-stub.ts';

export interface Compiled {
  readonly module: WebAssembly.Module;
  readonly shape: Shape;
  readonly bounds: Bounds;
  /** The stubs of its imports, which are then numbered; null where imports are called as they are. */
  readonly stubs: WebAssembly.Module | null;
}

const MODULES_MAX = 64;
/** 256 MiB, and 65,536 functions by reference, unless the spawner says otherwise. */
const PAGES_DEFAULT = 4096;
const PAGES_MAX = 65_536;
const ELEMENTS_MAX = 65_536;
/** Each export is a stub, and each import a function that is made for it. */
const FUNCTIONS_MAX = 4096;

const cache = new Map<string, Compiled>();

/** Throws a RangeError for a bad option. */
export function boundsOf({ memory, limits }: Pick<SpawnOptions, 'memory' | 'limits'>): Bounds {
  checkNested('memory', memory, ['pages']);
  checkNested('limits', limits, ['table', 'depth', 'messages', 'time']);
  const pages = memory?.pages ?? PAGES_DEFAULT;
  if (!(Number.isSafeInteger(pages) && pages >= 0 && pages <= PAGES_MAX)) {
    throw new RangeError(`memory.pages is ${String(pages)}; it must be a whole number from 0 to ${PAGES_MAX}`);
  }
  return { pages, elements: limitOf('table', limits?.table, ELEMENTS_MAX, ELEMENTS_MAX) };
}

/** The other limits of a task. Throws a RangeError for a bad one. */
export function taskBoundsOf({ limits = {} }: Pick<SpawnOptions, 'limits'>): TaskBounds {
  return {
    depth: limitOf('depth', limits.depth, UPCALL_DEPTH_MAX, UPCALL_DEPTH_MAX),
    messages: limits.messages === undefined ? UNLIMITED : limitOf('messages', limits.messages, 0, COUNT_MAX),
    time_ms: limitOf('time', limits.time, 0, COUNT_MAX),
  };
}

const COUNT_MAX = 2 ** 30;

function limitOf(name: string, value: number | undefined, fallback: number, max: number): number {
  if (value === undefined) return fallback;
  if (Number.isSafeInteger(value) && value >= (name === 'table' ? 0 : 1) && value <= max) return value;
  throw new RangeError(`limits.${name} is ${String(value)}; it must be a whole number up to ${max}`);
}

/** How the code of a task is run. */
export interface CompileOptions {
  /** Its imports are called through stubs that can suspend a stack. */
  readonly hasStacks: boolean;
  /** A watchdog must be able to end it. In a worker whoever ends that must. */
  readonly isLimited: boolean;
}

/** The module as one that can be interrupted. Where that is impossible it is refused, if it must be. */
function heedfulOr(bytes: Uint8Array<ArrayBuffer>, shape: Shape, isLimited: boolean): Uint8Array<ArrayBuffer> {
  const made = heedful(bytes, shape.types, shape.functions);
  if (made !== null || !isLimited) return made ?? bytes;
  throw new TypeError('limits.time cannot be kept: the module has instructions that this kernel does not know');
}

/** The module of a url. Throws what keeps it from being compiled, and ERR_IPC_LIMIT when it begins too large. */
export function compile(url: URL, bounds: Bounds, { hasStacks, isLimited }: CompileOptions): Compiled {
  const key = `${keyOf(url)} ${bounds.pages} ${bounds.elements} ${hasStacks} ${isLimited}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const bytes = read(url);
  // Compiled as it is first: what is looked at afterwards is known to be well formed.
  const module = new WebAssembly.Module(bytes);
  const shape = shapeOf(bytes);
  if (shape.refused.length > 0) {
    throw new IpcError('ERR_IPC_SPAWN_FAILED', `a task may not contain ${shape.refused.join('; nor ')}`, {
      phase: 'spawn',
    });
  }
  const excess = excessOf(bytes, bounds);
  for (const [count, what] of [
    [shape.exports.length, 'exports'],
    [shape.imports.length, 'imports'],
  ] as const) {
    if (count > FUNCTIONS_MAX) excess.push(`it has ${count} ${what}, and may have ${FUNCTIONS_MAX}`);
  }
  if (excess.length > 0) throw new IpcError('ERR_IPC_LIMIT', `the module is too large: ${excess.join('; ')}`);
  const ownLimits = limited(bytes, bounds, hasStacks ? numbered(bytes, shape.imports) : null);
  const rewritten = isLimited || !isMainThread ? heedfulOr(ownLimits, shape, isLimited) : ownLimits;
  const isSame = Buffer.compare(rewritten, bytes) === 0;
  const compiled = {
    module: isSame ? module : new WebAssembly.Module(rewritten),
    shape,
    bounds,
    stubs: hasStacks
      ? new WebAssembly.Module(
          stubModule(shape.imports.map(({ type }) => (type !== null && isCallable(type) ? type : null))),
        )
      : null,
  };
  cache.set(key, compiled);
  if (cache.size > MODULES_MAX) cache.delete(cache.keys().next().value!);
  return compiled;
}

function keyOf(url: URL): string {
  if (url.protocol !== 'file:') return url.href;
  const { mtimeMs, size } = statSync(url);
  return `${url.href} ${mtimeMs} ${size}`;
}

function read(url: URL): Uint8Array<ArrayBuffer> {
  if (url.protocol === 'file:') return new Uint8Array(readFileSync(fileURLToPath(url)));
  const data = /^data:application\/wasm;base64,(.*)$/s.exec(url.href)?.[1];
  if (data !== undefined) return new Uint8Array(Buffer.from(data, 'base64'));
  throw new TypeError(
    `a wasm task is loaded from a file: url or a data:application/wasm;base64 url, not ${url.protocol}`,
  );
}
