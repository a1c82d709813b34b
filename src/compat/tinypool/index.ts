/**
 * `l3kernel/tinypool`: the surface of tinypool 2 on the kernel. docs/migrating/tinypool.md says what differs.
 */
import { EventEmitterAsyncResource } from 'node:events';
import { availableParallelism } from 'node:os';
import { isTransferable as isTransferableBy, markMovable as mark, symbolsOf } from '../pool/movable.ts';
import {
  ArrayTaskQueue,
  isTaskQueue,
  pathOf,
  Pool,
  type PoolOptions,
  type RunOptions as PoolRunOptions,
  type TaskQueue,
} from '../pool/pool.ts';
import { threadState } from '../pool/state.ts';
import type { ThreadOptions } from '../pool/thread.ts';
import { performance } from '../../platform/timers.ts';

const VERSION = '2.2.0';
const symbols = symbolsOf('Tinypool');
const processors = availableParallelism();
const RUNNER = new URL('../pool/runner.ts', import.meta.url);

export interface Options extends ThreadOptions {
  filename?: string | URL | null;
  runtime?: 'worker_threads';
  name?: string;
  /** A number below 1 is a part of the processors. */
  minThreads?: number;
  maxThreads?: number;
  idleTimeout?: number;
  terminateTimeout?: number;
  maxQueue?: number | 'auto';
  concurrentTasksPerWorker?: number;
  /** Accepted, and without effect: threads wait as the kernel does. */
  useAtomics?: boolean;
  maxMemoryLimitBeforeRecycle?: number;
  workerData?: unknown;
  taskQueue?: TaskQueue;
  trackUnmanagedFds?: boolean;
  isolateWorkers?: boolean;
  teardown?: string;
}

/** Of one `run()`. `channel` is told when it is not used any more; messages go over a MessagePort in the task. */
export interface RunOptions extends PoolRunOptions {
  runtime?: 'worker_threads';
  channel?: { onMessage?: unknown; postMessage?: unknown; onClose?: () => void };
}

/** The filled-in options, as `pool.options` gives them. */
export type FilledOptions = PoolOptions & { readonly runtime: 'worker_threads' };

const partOf = (threads: number | undefined): number | undefined =>
  threads !== undefined && threads > 0 && threads < 1 ? Math.max(1, Math.floor(threads * processors)) : threads;

function fill(options: Options): FilledOptions {
  const { filename, maxQueue = Number.POSITIVE_INFINITY, runtime = 'worker_threads' } = options;
  refuseRuntime(runtime);
  const min = partOf(options.minThreads);
  const max = partOf(options.maxThreads);
  if (min !== undefined && max !== undefined && min > max) {
    throw new RangeError('options.minThreads and options.maxThreads must not conflict');
  }
  const maxThreads = max ?? Math.max(processors, min ?? 0);
  const minThreads = min ?? Math.min(Math.max(Math.floor(processors / 2), 1), maxThreads);
  return {
    ...options,
    runtime,
    family: 'Tinypool',
    filename: filename == null ? null : pathOf(filename),
    name: options.name ?? 'default',
    minThreads,
    maxThreads,
    idleTimeout: options.idleTimeout ?? 0,
    maxQueue: maxQueue === 'auto' ? maxThreads ** 2 : maxQueue,
    concurrentTasksPerWorker: options.concurrentTasksPerWorker ?? 1,
    workerData: options.workerData,
    taskQueue: options.taskQueue ?? new ArrayTaskQueue(),
    isolateWorkers: options.isolateWorkers ?? false,
    maxMemoryLimitBeforeRecycle: options.maxMemoryLimitBeforeRecycle,
    terminateTimeout: options.terminateTimeout,
    teardown: options.teardown,
  };
}

function refuseRuntime(runtime: string): void {
  if (runtime !== 'worker_threads') {
    throw new TypeError(`runtime '${runtime}': l3kernel/tinypool runs worker_threads only`);
  }
}

/** What stands for a worker in `pool.threads`. */
export interface TinypoolWorker {
  readonly runtime: 'worker_threads';
  readonly workerId: number;
}

export class Tinypool extends EventEmitterAsyncResource {
  private readonly pool: Pool;

  constructor(options: Options = {}) {
    super({ name: 'Tinypool' });
    this.pool = new Pool(fill(options), RUNNER, () => {
      if (this.pool.options.taskQueue.size === 0) this.emit('drain');
    });
  }

  run(task: unknown, options: RunOptions = {}): Promise<any> {
    const { channel, runtime = 'worker_threads' } = options;
    try {
      refuseRuntime(runtime);
      if (channel?.onMessage !== undefined || channel?.postMessage !== undefined) {
        throw new Error(
          "{ runtime: 'worker_threads' } doesn't support channel.onMessage and channel.postMessage. Use transferList instead.",
        );
      }
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const result = this.pool.run(task, options);
    return channel?.onClose === undefined ? result : result.finally(channel.onClose);
  }

  /** Ends every thread, now. */
  async destroy(): Promise<void> {
    await this.pool.destroy();
    this.emitDestroy();
  }

  get options(): FilledOptions {
    return this.pool.options as FilledOptions;
  }

  get threads(): TinypoolWorker[] {
    return [...this.pool.threads].map(({ id }) => ({ runtime: 'worker_threads', workerId: id }));
  }

  get queueSize(): number {
    return this.pool.options.taskQueue.size;
  }

  get completed(): number {
    return this.pool.completed;
  }

  /** Milliseconds since the pool was made. */
  get duration(): number {
    return performance.now() - this.pool.began_ms;
  }

  /** Rejects the tasks that wait; those under way go on. */
  cancelPendingTasks(): void {
    this.pool.options.taskQueue.cancel?.();
  }

  /** Replaces the threads, each when it has nothing to do. */
  async recycleWorkers(options: Pick<Options, 'runtime'> = {}): Promise<void> {
    refuseRuntime(options.runtime ?? 'worker_threads');
    if (!this.pool.options.isolateWorkers) await this.pool.replaceThreads();
  }

  static get isWorkerThread(): boolean {
    return threadState() !== undefined;
  }

  static get workerData(): unknown {
    return threadState()?.workerData;
  }

  static get version(): string {
    return VERSION;
  }

  /** Marks a value to be transferred and not copied. */
  static move<T>(value: T): T {
    return mark(symbols, value) as T;
  }

  static get transferableSymbol(): symbol {
    return symbols.transferable;
  }

  static get valueSymbol(): symbol {
    return symbols.value;
  }

  static get queueOptionsSymbol(): symbol {
    return symbols.queueOptions;
  }
}

export default Tinypool;
export { isTaskQueue, type TaskQueue };
export const kTransferable: symbol = symbols.transferable;
export const kValue: symbol = symbols.value;
export const kQueueOptions: symbol = symbols.queueOptions;
export const isTransferable = (value: unknown): boolean => isTransferableBy(symbols, value);
/** The number of this thread in its pool, from 1; undefined outside a pool. */
export const workerId: number | undefined = threadState()?.workerId;
