/**
 * `l3kernel/synckit`: the surface of synckit 0.12 on the kernel. docs/migrating/synckit.md says what differs.
 */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Transferable } from 'node:worker_threads';
import { dataCloneError, Runner } from '../runner.ts';
import {
  DEFAULT_EXEC_ARGV,
  DEFAULT_GLOBAL_SHIMS,
  DEFAULT_GLOBAL_SHIMS_PRESET,
  DEFAULT_TIMEOUT,
  DEFAULT_TS_RUNNER,
  type GlobalShim,
  type TsRunner,
} from './constants.ts';
import { findRegister } from './register.ts';
import { findWorkerFile } from './worker-file.ts';

export {
  DEFAULT_EXEC_ARGV,
  DEFAULT_GLOBAL_SHIMS,
  DEFAULT_GLOBAL_SHIMS_PRESET,
  DEFAULT_TIMEOUT,
  DEFAULT_TS_RUNNER,
  type GlobalShim,
  TsRunner,
} from './constants.ts';

export type AnyFn<R = any, T extends any[] = any[]> = (...args: T) => R;
export type Syncify<T extends AnyFn> = (...args: Parameters<T>) => Awaited<ReturnType<T>>;

export interface SynckitOptions {
  execArgv?: string[];
  globalShims?: GlobalShim[] | boolean;
  /** Milliseconds of a call, the loading of the worker's module included. Default: none. */
  timeout?: number;
  /** Transferred to the worker, which has no name for them. */
  transferList?: Transferable[];
  tsRunner?: TsRunner;
}

const syncFns = new Map<string, AnyFn>();

/**
 * A function that runs in a worker and blocks this thread until it has the result. One worker for each path: later
 * options for the same path are ignored.
 */
export function createSyncFn<T extends AnyFn>(
  workerPath: URL | string,
  timeoutOrOptions?: SynckitOptions | number,
): Syncify<T> {
  const isUrl = typeof workerPath !== 'string' || workerPath.startsWith('file://');
  const path = isUrl ? fileURLToPath(workerPath) : workerPath;
  const known = syncFns.get(path);
  if (known !== undefined) return known as Syncify<T>;
  if (!isAbsolute(path)) throw new Error('`workerPath` must be absolute');
  const options = typeof timeoutOrOptions === 'number' ? { timeout: timeoutOrOptions } : (timeoutOrOptions ?? {});
  const runner = startRunner(path, options);
  const syncFn = (...args: unknown[]): unknown => runner.call(args);
  syncFns.set(path, syncFn);
  return syncFn as Syncify<T>;
}

function startRunner(workerPath: string, options: SynckitOptions): Runner {
  const { timeout = DEFAULT_TIMEOUT, execArgv = DEFAULT_EXEC_ARGV, tsRunner = DEFAULT_TS_RUNNER } = options;
  const { globalShims = DEFAULT_GLOBAL_SHIMS, transferList = [] } = options;
  const file = findWorkerFile(workerPath, execArgv, tsRunner);
  const shims = globalShims === true ? DEFAULT_GLOBAL_SHIMS_PRESET : globalShims === false ? [] : globalShims;
  if (transferList.length > 0) structuredClone(null, { transfer: transferList as ArrayBuffer[] });
  return new Runner(new URL('./runner.ts', import.meta.url), {
    start: { path: file.path, isCommonJs: file.isCommonJs, shims },
    execArgv: file.execArgv,
    timeout: timeout === undefined || Number.isNaN(timeout) ? undefined : Math.max(0, timeout),
    errors: {
      timedOut: (cause) => new Error('Internal error: Atomics.wait() failed: timed-out', { cause }),
      notSent: (cause) => dataCloneError(cause),
      notReturned: (cause) => dataCloneError(cause),
    },
  });
}

/** Registers the function that this worker runs. In a thread that was not started by `createSyncFn` it does nothing. */
export function runAsWorker<T extends AnyFn<Promise<R> | R>, R = ReturnType<T>>(fn: T): void {
  findRegister()?.(fn);
}
