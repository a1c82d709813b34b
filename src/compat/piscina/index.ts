/**
 * `l3kernel/piscina`: the common part of piscina 5's surface on the kernel. docs/migrating/piscina.md says what
 * differs.
 */
import { EventEmitterAsyncResource } from 'node:events';
import { availableParallelism } from 'node:os';
import { setTimeout as later } from 'node:timers/promises';
import { markMovable, symbolsOf } from '../pool/movable.ts';
import { ArrayTaskQueue, isTaskQueue, pathOf, Pool, type PoolOptions, type TaskQueue } from '../pool/pool.ts';
import { threadState } from '../pool/state.ts';
import { AbortError, type AbortSignalAny } from '../pool/task.ts';
import type { ThreadOptions } from '../pool/thread.ts';
import { performance, queueMicrotask, setImmediate } from '../../platform/timers.ts';

const VERSION = '5.3.2';
const symbols = symbolsOf('Piscina');
const RUNNER = new URL('../pool/runner.ts', import.meta.url);

export interface Options extends ThreadOptions {
  filename?: string | null;
  name?: string;
  minThreads?: number;
  maxThreads?: number;
  idleTimeout?: number;
  maxQueue?: number | 'auto';
  concurrentTasksPerWorker?: number;
  /** Accepted, and without effect: threads wait as the kernel does. */
  atomics?: 'sync' | 'async' | 'disabled';
  workerData?: unknown;
  taskQueue?: TaskQueue;
  trackUnmanagedFds?: boolean;
  /** Milliseconds that `close()` waits for the tasks under way. */
  closeTimeout?: number;
  recordTiming?: boolean;
}

export interface RunOptions {
  transferList?: readonly unknown[];
  filename?: string | null;
  signal?: AbortSignalAny | null;
  name?: string | null;
}

type FilledOptions = PoolOptions & { readonly closeTimeout: number };

const isWhole = (least: number) => (value: unknown) => typeof value === 'number' && value >= least;
const isText = (value: unknown): boolean => value === null || typeof value === 'string';

const CHECKS: Record<string, readonly [check: (value: unknown) => boolean, what: string]> = {
  filename: [isText, 'must be a string or null'],
  name: [isText, 'must be a string or null'],
  minThreads: [isWhole(0), 'must be a non-negative integer'],
  maxThreads: [isWhole(1), 'must be a positive integer'],
  idleTimeout: [isWhole(0), 'must be a non-negative integer'],
  maxQueue: [(value) => value === 'auto' || isWhole(0)(value), 'must be a non-negative integer'],
  concurrentTasksPerWorker: [isWhole(1), 'must be a positive integer'],
  resourceLimits: [(value) => typeof value === 'object' && value !== null, 'must be an object'],
  taskQueue: [isTaskQueue, 'must be a TaskQueue object'],
  closeTimeout: [isWhole(0), 'must be a non-negative integer'],
};

/** Options of the original that would change what a pool does, and that this one does not have. */
const MISSING = ['niceIncrement', 'loadBalancer', 'workerHistogram', 'stricterFIFO'];

function fill(options: Options): FilledOptions {
  const given = options as Record<string, unknown>;
  for (const [name, [check, what]] of Object.entries(CHECKS)) {
    if (given[name] !== undefined && !check(given[name])) throw new TypeError(`options.${name} ${what}`);
  }
  for (const name of MISSING) if (given[name]) throw new TypeError(`l3kernel/piscina has no option '${name}'`);
  const { filename, minThreads: min, maxThreads: max, maxQueue = Number.POSITIVE_INFINITY } = options;
  if (min !== undefined && max !== undefined && min > max) {
    throw new RangeError('options.minThreads and options.maxThreads must not conflict');
  }
  const maxThreads = max ?? Math.max(availableParallelism() * 1.5, min ?? 0);
  return {
    ...options,
    family: 'Piscina',
    filename: filename == null ? null : pathOf(filename),
    name: options.name ?? 'default',
    minThreads: min ?? Math.min(Math.max(Math.floor(availableParallelism() / 2), 1), maxThreads),
    maxThreads,
    idleTimeout: options.idleTimeout ?? 0,
    maxQueue: maxQueue === 'auto' ? maxThreads ** 2 : maxQueue,
    concurrentTasksPerWorker: options.concurrentTasksPerWorker ?? 1,
    workerData: options.workerData,
    taskQueue: options.taskQueue ?? new ArrayTaskQueue(),
    isolateWorkers: false,
    maxMemoryLimitBeforeRecycle: undefined,
    terminateTimeout: undefined,
    teardown: undefined,
    closeTimeout: options.closeTimeout ?? 30_000,
  };
}

class Piscina extends EventEmitterAsyncResource {
  private readonly pool: Pool;
  /** As many tasks are under way as may be. */
  private isFull = false;
  private closing = false;

  constructor(options: Options = {}) {
    super({ name: 'Piscina' });
    this.pool = new Pool(fill(options), RUNNER, () => this.onChange());
  }

  private onChange(): void {
    const { capacity, underWay } = this.pool;
    if (underWay >= capacity === this.isFull) return;
    this.isFull = !this.isFull;
    queueMicrotask(() => this.emit(this.isFull ? 'needsDrain' : 'drain'));
  }

  run(task: unknown, options: RunOptions = {}): Promise<any> {
    if (options === null || typeof options !== 'object') {
      return Promise.reject(new TypeError('options must be an object'));
    }
    const { transferList, filename, name, signal } = options;
    if (transferList !== undefined && !Array.isArray(transferList)) {
      return Promise.reject(new TypeError('transferList argument must be an Array'));
    }
    if (filename != null && typeof filename !== 'string') {
      return Promise.reject(new TypeError('filename argument must be a string'));
    }
    if (name != null && typeof name !== 'string') {
      return Promise.reject(new TypeError('name argument must be a string'));
    }
    if (signal != null && typeof signal !== 'object') {
      return Promise.reject(new TypeError('signal argument must be an object'));
    }
    if (this.closing) return Promise.reject(new AbortError('queue is being terminated'));
    return this.pool.run(task, options);
  }

  /** Waits for the tasks under way, and with `force` not for those that wait, then ends every thread. */
  async close({ force = false }: { force?: boolean } = {}): Promise<void> {
    this.closing = true;
    const { pool } = this;
    if (force) pool.rejectQueued(() => new AbortError('pool is closed'));
    const deadline_ms = performance.now() + (pool.options as FilledOptions).closeTimeout;
    while (pool.underWay + pool.options.taskQueue.size > 0 && performance.now() < deadline_ms) {
      const left_ms = deadline_ms - performance.now();
      await Promise.race([this.nextChange(), later(left_ms, undefined, { ref: false })]);
    }
    if (pool.underWay + pool.options.taskQueue.size > 0) this.emit('error', new Error('Close operation timed out'));
    await pool.destroy();
    this.emit('close');
    this.closing = false;
  }

  /** Settles when one of the tasks under way has. */
  private async nextChange(): Promise<void> {
    const tasks = [...this.pool.threads].flatMap((thread) => [...thread.tasks]);
    await Promise.race(tasks.map((task) => task.promise.catch(() => {})));
    // The thread is freed after its task has been settled.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Ends every thread, now. */
  destroy(): Promise<void> {
    return this.pool.destroy();
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get options(): FilledOptions {
    return this.pool.options as FilledOptions;
  }

  get minThreads(): number {
    return this.pool.options.minThreads;
  }

  get maxThreads(): number {
    return this.pool.options.maxThreads;
  }

  get threads(): { readonly workerId: number }[] {
    return [...this.pool.threads].map(({ id }) => ({ workerId: id }));
  }

  get idleThreads(): number {
    return [...this.pool.threads].filter(({ tasks }) => tasks.size === 0).length;
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

  /** The part of the threads' time in which tasks ran. */
  get utilization(): number {
    return this.pool.busy_ms / (this.duration * this.pool.options.maxThreads);
  }

  get needsDrain(): boolean {
    return this.isFull;
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

  static get Piscina(): typeof Piscina {
    return Piscina;
  }

  static get ArrayTaskQueue(): typeof ArrayTaskQueue {
    return ArrayTaskQueue;
  }

  /** Marks a value to be transferred and not copied. */
  static move<T>(value: T): T {
    return markMovable(symbols, value) as T;
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

export default Piscina;
export { ArrayTaskQueue, Piscina };
export const { move, version, transferableSymbol, valueSymbol, queueOptionsSymbol } = Piscina;
export const isWorkerThread: boolean = Piscina.isWorkerThread;
export const workerData: unknown = Piscina.workerData;
