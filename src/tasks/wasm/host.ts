/**
 * Tasks of the kind `wasm` in the agent that spawns them, behind the interface of every kind. Their walls keep malice
 * out; nothing keeps them from using the processor for as long as they like.
 */
import { METHOD_CONTEXT } from '../../rpc/context.ts';
import { METHOD_DESCRIBE, METHOD_FIRST } from '../../rpc/serve.ts';
import { NEVER, PEER_GONE } from '../../layout/message.ts';
import type { Options } from '../../rpc/call.ts';
import { abortedError, failure } from '../../rpc/failure.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { shown } from '../../rpc/shown.ts';
import { type Caller, type Callers, makeStubsFrom } from '../../rpc/stub.ts';
import type { SpawnOptions, WasiFiles } from '../../rpc/types.ts';
import { checkNested } from '../checks.ts';
import type { HostedTask, Start, TaskHost } from '../host.ts';
import { pathOf } from './apart.ts';
import { boundsOf, compile, taskBoundsOf } from './compile.ts';
import { filesUrl } from './files-server.ts';
import { canGuard } from './guard.ts';
import { abandon, begin, end, type Hosted, hostedBy } from './life.ts';
import { isGone, type RawFunction } from './record.ts';
import { viewOf } from './space.ts';
import { callLater, hasStacks } from './stacks.ts';
import type { Files } from './wasi-files.ts';

function startSync(start: Start): HostedTask {
  let one: Hosted;
  try {
    checkOptions(start);
  } catch (error) {
    abandon(start);
    throw error;
  }
  let files: Files | null = null;
  try {
    const compiled = compile(start.url, boundsOf(start.options), {
      hasStacks: start.options.thread === 'jspi',
      isLimited: start.options.limits?.time !== undefined,
    });
    files = filesOf(start);
    one = begin(start, compiled, files);
  } catch (error) {
    void files?.server.kill();
    abandon(start);
    if (error instanceof IpcError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new IpcError('ERR_IPC_SPAWN_FAILED', `task '${start.name}' did not start: ${why}`, {
      phase: 'spawn',
      task: start.name,
      cause: error,
    });
  }
  return hostedTask(one);
}

/** Starts the server of the files that a task is granted. */
function filesOf({ options: { wasi }, spawn }: Start): Files | null {
  if (typeof wasi !== 'object') return null;
  const paths = Object.values(wasi.preopens).map(pathOf);
  const server = spawn(filesUrl(paths, wasi.readOnly === true), { kind: 'worker' });
  return { names: Object.keys(wasi.preopens), server };
}

function checkFiles(wasi: WasiFiles): void {
  checkNested('wasi', wasi, ['preopens', 'readOnly']);
  for (const [name, path] of Object.entries(wasi.preopens)) {
    if (typeof path === 'string' || path instanceof URL) continue;
    throw new TypeError(`wasi.preopens: '${name}' is ${shown(path)}; it must be the path or the url of a directory`);
  }
}

function checkImports(imports: SpawnOptions['imports'] = {}): object {
  if (typeof imports === 'object' && imports !== null) return imports;
  throw new TypeError(`imports is ${shown(imports)}; it must be an object with a task or functions for each module`);
}

function checkOptions({ options }: Start): void {
  const { wasi = 'none' } = options;
  const isFiles = typeof wasi === 'object' && wasi !== null && typeof wasi.preopens === 'object';
  if (wasi !== 'none' && wasi !== 'stdio' && !isFiles) {
    throw new TypeError("wasi must be 'none', 'stdio' or { preopens: { '/name': 'directory' } }");
  }
  if (typeof wasi === 'object') checkFiles(wasi);
  for (const [module, source] of Object.entries(checkImports(options.imports))) {
    if (typeof source === 'object' && source !== null) continue;
    throw new TypeError(`imports.${module} is ${shown(source)}; it must be a task, or an object of functions`);
  }
  for (const name of ['args', 'env', 'resourceLimits', 'execArgv', 'onTimeout'] as const) {
    if (options[name] !== undefined) throw new TypeError(`a wasm task has no option '${name}'`);
  }
  if (options.thread !== 'jspi') {
    if (options.concurrency !== undefined)
      throw new TypeError("'concurrency' is an option of tasks with thread: 'jspi'");
  } else if (!hasStacks()) {
    throw new TypeError("thread: 'jspi' needs JSPI: Node 24 or later; take thread: 'worker'");
  }
  boundsOf(options);
  if (taskBoundsOf(options).time_ms === 0) return;
  if (options.thread === 'jspi') throw new TypeError("limits.time is for passive threads, not for thread: 'jspi'");
  if (!canGuard()) throw new TypeError("limits.time is for tasks of the main thread; take thread: 'worker' here");
}

function hostedTask(one: Hosted): HostedTask {
  const { task, exited } = one;
  const names = task.signatures.map(({ name }) => name);
  return {
    kind: 'wasm',
    taskId: task.taskId,
    target: task.target,
    exports: { names, streams: [] },
    exited,
    // Empty when there is no instance: a task that has ended, a module that exports no memory.
    get memory() {
      return task.space.memory === null ? new Uint8Array() : viewOf(task.space);
    },
    isAlive: () => task.ended === null,
    kill: () => {
      end(one, { code: 1, reason: 'killed' });
      return task.files?.server.kill() ?? Promise.resolve();
    },
    stubs: (options) => makeStubsFrom(task.target, names, (name) => stubFor(one, name, options)),
  };
}

/** The two stubs of a function. Without a signal to look at, the blocking one is the switch itself. */
function stubFor(one: Hosted, name: string, options: Options): { sync: RawFunction; async: RawFunction } {
  const { signal } = options;
  const index = one.task.signatures.findIndex((signature) => signature.name === name);
  const { call } = one.stubs[index]!;
  const checked: RawFunction = (...args) => {
    if (signal?.aborted === true) throw abortedError({ task: one.task.target.name, method: name }, signal);
    return call(...args);
  };
  const later: RawFunction = async (...args) =>
    one.task.stacks === null
      ? checked(...args)
      : callLater(one.task, one.task.signatures[index]!, options, args, false);
  return { sync: signal === undefined ? call : checked, async: later };
}

/** Calls of a task that was found by its name. */
const callFound: Caller = (target, method, name, options, args) => {
  const one = hostedBy(target.id);
  if (one === undefined || isGone(one.task)) {
    const { taskId } = target;
    throw failure(PEER_GONE, { task: target.name, taskId, method: name, timeout_ms: NEVER, began_ms: NEVER });
  }
  if (method === METHOD_DESCRIBE) return { names: one.task.signatures.map((signature) => signature.name), streams: [] };
  if (options.signal?.aborted === true) throw abortedError({ task: target.name, method: name }, options.signal);
  // No context goes into a wasm task.
  const isPlain = (method & METHOD_CONTEXT) === 0;
  return one.stubs[(method & ~METHOD_CONTEXT) - METHOD_FIRST]!.call(...(isPlain ? args : args.slice(0, -1)));
};

const callFoundLater: Caller = async (target, method, name, options, args) => {
  const task = hostedBy(target.id)?.task;
  if (task === undefined || task.stacks === null || method === METHOD_DESCRIBE) {
    return callFound(target, method, name, options, args);
  }
  return callLater(task, task.signatures[method - METHOD_FIRST]!, options, args, false);
};

export const wasmCallers: Callers = { sync: callFound, async: callFoundLater };

export const wasmHost: TaskHost = {
  start(begun) {
    const hosted = startSync(begun);
    return { hosted: Promise.resolve(hosted), wait: () => hosted };
  },
  startSync,
};
