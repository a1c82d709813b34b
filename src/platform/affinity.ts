/**
 * What hand-over on one core asks of the operating system, by native functions: which core this thread runs on, which
 * it may run on, and whether its event loop has anything to do. Linux on x86-64 and arm64, through `node:ffi` where
 * Node has it, else through `koffi` where that is installed.
 *
 * All functions are declared with NATIVE_ARGUMENTS arguments, and called with zeros for those that they do not have,
 * which no function of C minds here. Of so many arguments Node makes an ordinary call. Up to eight it makes a fast one,
 * and that is not safe in a worker: its description is freed when the worker ends, while V8's compiler, in a thread of
 * its own, may still be reading it (Node 26.10: `Check failed: FastApiCallNode::ArityForArgc`).
 *
 * A mask is what the C library calls cpu_set_t: 1,024 bits, one a core. Thread 0 stands for the calling thread: a
 * thread changes its own mask and nobody else's, so that nothing can change it behind its back.
 */
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { requireFrom } from './load.ts';

export const MASK_BYTES = 128;

export interface Affinity {
  /** The core that this thread runs on; it may be another one by the time it is looked at. */
  core(): number;
  /** Reads the cores that this thread may run on. False: the system did not say. */
  readMask(mask: Uint8Array): boolean;
  /** States the cores that this thread may run on. False: refused, and nothing has changed. */
  writeMask(mask: Uint8Array): boolean;
  /**
   * Runs what waits in the microtask queue; true when timers, sockets or the like wait beside it. For code that runs
   * outside of timers and of microtasks, as `beforeExit` does.
   */
  loopHasWork(): boolean;
}

const NATIVE_ARGUMENTS = 9;

type Native = (...args: unknown[]) => unknown;
type Kind = 'int' | 'size' | 'mask' | 'pointer';

const GET_ISOLATE = '_ZN2v87Isolate10GetCurrentEv';
const GET_LOOP = '_ZN4node19GetCurrentEventLoopEPN2v87IsolateE';

interface Signature {
  readonly gives: Kind;
  readonly takes: readonly Kind[];
}

const signature = (gives: Kind, ...takes: Kind[]): Signature => ({
  gives,
  takes: [...takes, ...Array.from({ length: NATIVE_ARGUMENTS - takes.length }, (): Kind => 'int')],
});

/** The last three are what native addons of Node use. */
const FUNCTIONS: Readonly<Record<string, Signature>> = {
  sched_getcpu: signature('int'),
  sched_getaffinity: signature('int', 'int', 'size', 'mask'),
  sched_setaffinity: signature('int', 'int', 'size', 'mask'),
  [GET_ISOLATE]: signature('pointer'),
  [GET_LOOP]: signature('pointer', 'pointer'),
  uv_loop_alive: signature('int', 'pointer'),
};

interface Ffi {
  dlopen(path: null, definitions: Record<string, object>): { functions: Record<string, Native> };
}
interface Koffi {
  load(path: null): { func(prototype: string): Native };
}

/** Types of `node:ffi`, and of C. A size is an int here: it fits, and takes no BigInt. */
const FFI_TYPES: Readonly<Record<Kind, string>> = { int: 'i32', size: 'i32', mask: 'buffer', pointer: 'pointer' };
const C_TYPES: Readonly<Record<Kind, string>> = { int: 'int', size: 'size_t', mask: 'void *', pointer: 'void *' };

function functionsByFfi(ffi: Ffi): Record<string, Native> {
  const definitions: Record<string, object> = {};
  for (const [name, { gives, takes }] of Object.entries(FUNCTIONS)) {
    definitions[name] = { return: FFI_TYPES[gives], arguments: takes.map((kind) => FFI_TYPES[kind]) };
  }
  return ffi.dlopen(null, definitions).functions;
}

function functionsByKoffi(koffi: Koffi): Record<string, Native> {
  const library = koffi.load(null);
  const functions: Record<string, Native> = {};
  for (const [name, { gives, takes }] of Object.entries(FUNCTIONS)) {
    const parameters = takes.map((kind) => C_TYPES[kind]).join(', ');
    functions[name] = library.func(`${C_TYPES[gives]} ${name}(${parameters})`);
  }
  return functions;
}

/** `node:ffi`, if this Node has it. Its warning is the main thread's to give: each worker would repeat it. */
function findFfi(): Ffi | undefined {
  const load = (): Ffi | undefined => process.getBuiltinModule('node:ffi') as Ffi | undefined;
  if (isMainThread) return load();
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

function findFunctions(): Record<string, Native> {
  const ffi = findFfi();
  if (ffi !== undefined) return functionsByFfi(ffi);
  // The worker's text has no place in the file system: it looks from where the program was started.
  const require = requireFrom(join(process.cwd(), 'package.json'));
  try {
    return functionsByKoffi(require('koffi') as Koffi);
  } catch (cause) {
    throw new Error('this Node has no node:ffi, and the package koffi does not load', { cause });
  }
}

/** Finds the functions. Throws an Error that says what is missing. */
export function loadAffinity(): Affinity {
  const { platform, arch } = process;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    throw new Error(`it is made for Linux on x64 and arm64, this is ${platform} on ${arch}`);
  }
  const { _tickCallback: runMicrotasks } = process as { _tickCallback?: () => void };
  if (runMicrotasks === undefined) throw new Error('this Node has no process._tickCallback');
  const functions = findFunctions();
  const { sched_getcpu, sched_getaffinity, sched_setaffinity, uv_loop_alive } = functions;
  const isolate = functions[GET_ISOLATE]!(0, 0, 0, 0, 0, 0, 0, 0, 0);
  const loop = functions[GET_LOOP]!(isolate, 0, 0, 0, 0, 0, 0, 0, 0);
  return {
    core: () => sched_getcpu!(0, 0, 0, 0, 0, 0, 0, 0, 0) as number,
    // The system's own function gives the length of what it read; the C library's gives 0.
    readMask: (mask) => sched_getaffinity!(0, MASK_BYTES, mask, 0, 0, 0, 0, 0, 0) === 0,
    writeMask: (mask) => sched_setaffinity!(0, MASK_BYTES, mask, 0, 0, 0, 0, 0, 0) === 0,
    loopHasWork() {
      runMicrotasks();
      return uv_loop_alive!(loop, 0, 0, 0, 0, 0, 0, 0, 0) !== 0;
    },
  };
}
