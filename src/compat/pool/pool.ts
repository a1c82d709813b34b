/**
 * The pool behind `l3kernel/tinypool` and `l3kernel/piscina`: which thread gets which task, when threads begin and end.
 *
 * A task goes to the thread with the least to do, or to a new one while there may be more; else it waits, first come
 * first served or as the user's queue says. A task that can be aborted has its thread for itself, for to abort it is to
 * end the thread. A thread that ended by itself is noticed by its tasks, or when the next one would get it.
 */
import { fileURLToPath } from 'node:url';
import { symbolsOf, unpack } from './movable.ts';
import { AbortError, type AbortSignalAny, PoolTask } from './task.ts';
import { PoolThread, type ThreadOptions } from './thread.ts';
import { clearTimeout, performance, setTimeout } from '../../platform/timers.ts';

/** A queue of the user's. */
export interface TaskQueue {
  readonly size: number;
  shift(): PoolTask | null | undefined;
  remove(task: PoolTask): void;
  push(task: PoolTask): void;
  cancel?(): void;
}

export interface PoolOptions extends ThreadOptions {
  readonly family: 'Tinypool' | 'Piscina';
  readonly filename: string | null;
  readonly name: string;
  minThreads: number;
  maxThreads: number;
  /** Milliseconds that a thread above `minThreads` lives without a task. */
  readonly idleTimeout: number;
  readonly maxQueue: number;
  readonly concurrentTasksPerWorker: number;
  readonly workerData: unknown;
  readonly taskQueue: TaskQueue;
  /** A fresh thread for each task. */
  readonly isolateWorkers: boolean;
  /** Bytes of heap above which a thread is replaced after a task. */
  readonly maxMemoryLimitBeforeRecycle: number | undefined;
  /** Milliseconds that the end of a thread may take. */
  readonly terminateTimeout: number | undefined;
  /** Export of `filename` that is called before a thread is ended. */
  readonly teardown: string | undefined;
}

export interface RunOptions {
  readonly transferList?: readonly unknown[] | undefined;
  readonly filename?: string | URL | null | undefined;
  readonly name?: string | null | undefined;
  readonly signal?: AbortSignalAny | null | undefined;
}

/** First come, first served. */
export class ArrayTaskQueue implements TaskQueue {
  private tasks: PoolTask[] = [];

  get size(): number {
    return this.tasks.length;
  }

  shift(): PoolTask | undefined {
    return this.tasks.shift();
  }

  push(task: PoolTask): void {
    this.tasks.push(task);
  }

  remove(task: PoolTask): void {
    this.tasks = this.tasks.filter((other) => other !== task);
  }

  cancel(): void {
    const { tasks } = this;
    this.tasks = [];
    for (const task of tasks) task.cancel();
  }
}

export const isTaskQueue = (value: unknown): value is TaskQueue =>
  typeof value === 'object' &&
  value !== null &&
  'size' in value &&
  ['shift', 'remove', 'push'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function');

export function pathOf(filename: string | URL): string {
  if (typeof filename !== 'string') return filename.protocol === 'file:' ? fileURLToPath(filename) : filename.href;
  return filename.startsWith('file:') ? fileURLToPath(filename) : filename;
}

const terminated = (): Error => new Error('Terminating worker thread');

export class Pool {
  readonly options: PoolOptions;
  readonly threads = new Set<PoolThread>();
  readonly began_ms: number = performance.now();
  completed = 0;
  /** Milliseconds that tasks have run, together. */
  busy_ms = 0;
  private readonly runner: URL;
  private readonly onChange: () => void;
  private isEnding = false;

  /** `onChange` is called whenever a task has been given to a thread or has ended. */
  constructor(options: PoolOptions, runner: URL, onChange: () => void) {
    this.options = options;
    this.runner = runner;
    this.onChange = onChange;
    this.fill();
  }

  get capacity(): number {
    return this.options.maxThreads * this.options.concurrentTasksPerWorker;
  }

  /** Tasks that threads work on. */
  get underWay(): number {
    let sum = 0;
    for (const thread of this.threads) sum += thread.tasks.size;
    return sum;
  }

  run(value: unknown, options: RunOptions): Promise<unknown> {
    const filename = options.filename ?? this.options.filename;
    if (filename === null) {
      return Promise.reject(new Error('filename must be provided to run() or in options object'));
    }
    const { signal = null, transferList = [] } = options;
    const symbols = symbolsOf(this.options.family);
    const task = new PoolTask(
      {
        family: this.options.family,
        symbols,
        unpacked: unpack(symbols, value),
        transferList,
        filename: pathOf(filename),
        name: options.name ?? this.options.name,
        signal,
      },
      () => this.completed++,
    );
    const refusal = this.refusal(task);
    if (refusal !== null) task.reject(refusal);
    else this.accept(task);
    return task.promise;
  }

  private refusal({ signal }: PoolTask): Error | null {
    if (signal !== null && 'aborted' in signal && signal.aborted === true) return new AbortError(signal.reason);
    if (this.isEnding) return terminated();
    const { maxQueue, taskQueue } = this.options;
    const isFull = taskQueue.size > 0 ? taskQueue.size >= maxQueue : maxQueue === 0 && this.threadFor(signal) === null;
    if (!isFull) return null;
    return new Error(maxQueue === 0 ? 'No task queue available and all Workers are busy' : 'Task queue is at limit');
  }

  private accept(task: PoolTask): void {
    const thread = this.options.taskQueue.size > 0 ? null : this.threadFor(task.signal);
    task.watchSignal(() => this.abort(task));
    if (thread === null) this.options.taskQueue.push(task);
    else this.give(task, thread);
  }

  private abort(task: PoolTask): void {
    task.reject(new AbortError('reason' in task.signal! ? task.signal.reason : undefined));
    const thread = [...this.threads].find(({ tasks }) => tasks.has(task));
    if (thread === undefined) {
      this.options.taskQueue.remove(task);
      return;
    }
    this.endInBackground(thread);
    this.fill();
    this.serveQueue();
  }

  /** The thread that a task may have now; a new one if there may be more. */
  private threadFor(signal: AbortSignalAny | null): PoolThread | null {
    for (const thread of this.threads) if (!thread.isAlive) this.threads.delete(thread);
    let best: PoolThread | null = null;
    for (const thread of this.threads) {
      if (thread.isReserved || thread.isWornOut) continue;
      if (best === null || thread.tasks.size < best.tasks.size) best = thread;
    }
    const used = best?.tasks.size ?? Number.POSITIVE_INFINITY;
    if (used === 0) return best;
    if (this.threads.size < this.options.maxThreads) return this.add();
    return signal === null && used < this.options.concurrentTasksPerWorker ? best : null;
  }

  private add(): PoolThread {
    const taken = new Set([...this.threads].map(({ id }) => id));
    let workerId = 1;
    while (taken.has(workerId)) workerId++;
    const { family, filename, name, workerData } = this.options;
    const thread = new PoolThread(this.runner, { family, workerId, workerData, filename, name }, this.options);
    this.threads.add(thread);
    return thread;
  }

  private fill(): void {
    while (!this.isEnding && this.threads.size < this.options.minThreads) this.add();
  }

  private give(task: PoolTask, thread: PoolThread): void {
    if (thread.idleTimer !== null) clearTimeout(thread.idleTimer);
    task.started_ms = performance.now();
    thread.run(task).then(
      (result) => this.onResult(task, thread, result),
      (error: unknown) => {
        task.reject(error);
        this.onFree(task, thread);
      },
    );
    this.onChange();
  }

  private onResult(task: PoolTask, thread: PoolThread, result: unknown): void {
    const { maxMemoryLimitBeforeRecycle: limit, isolateWorkers } = this.options;
    if (isolateWorkers || thread.isWornOut || limit !== undefined) {
      this.recycle(task, thread).then(
        () => {
          task.resolve(result);
          this.onFree(task, thread);
        },
        (error: unknown) => {
          task.reject(error);
          this.onFree(task, thread);
        },
      );
      return;
    }
    task.resolve(result);
    this.onFree(task, thread);
  }

  /** Replaces the thread after a task, if it is worn out. */
  private async recycle(task: PoolTask, thread: PoolThread): Promise<void> {
    const { maxMemoryLimitBeforeRecycle: limit, isolateWorkers } = this.options;
    const isWornOut = isolateWorkers || thread.isWornOut || (limit !== undefined && (await thread.heapUsed()) > limit);
    if (!isWornOut || thread.tasks.size > 0) return;
    await task.runInAsyncScope(() => this.end(thread));
  }

  private onFree(task: PoolTask, thread: PoolThread): void {
    this.busy_ms += performance.now() - task.started_ms;
    if (!thread.isAlive) this.threads.delete(thread);
    this.serveQueue();
    this.fill();
    this.onChange();
    if (thread.tasks.size > 0 || this.threads.size <= this.options.minThreads || !this.threads.has(thread)) return;
    if (this.options.idleTimeout === Number.POSITIVE_INFINITY) return;
    thread.idleTimer = setTimeout(() => this.endIdle(thread), this.options.idleTimeout).unref();
  }

  private endIdle(thread: PoolThread): void {
    if (thread.tasks.size === 0 && this.threads.size > this.options.minThreads) this.endInBackground(thread);
  }

  private serveQueue(): void {
    const { taskQueue } = this.options;
    while (taskQueue.size > 0) {
      const task = taskQueue.shift();
      if (task == null) return;
      const thread = this.threadFor(task.signal);
      if (thread === null) {
        this.putBack(task);
        return;
      }
      this.give(task, thread);
    }
  }

  /** The first of the queue has no thread yet, and stays the first. */
  private putBack(task: PoolTask): void {
    const { taskQueue } = this.options;
    const others: PoolTask[] = [];
    for (let next = taskQueue.shift(); next != null; next = taskQueue.shift()) others.push(next);
    for (const each of [task, ...others]) taskQueue.push(each);
  }

  private async end(thread: PoolThread): Promise<void> {
    this.threads.delete(thread);
    const { teardown, filename, terminateTimeout } = this.options;
    if (teardown !== undefined && filename !== null && thread.isAlive) await thread.call(filename, teardown);
    const ended = thread.end();
    if (terminateTimeout === undefined || terminateTimeout === 0) return ended;
    const { promise: late, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('Failed to terminate worker')), terminateTimeout);
    await Promise.race([ended, late]).finally(() => clearTimeout(timer));
  }

  private endInBackground(thread: PoolThread): void {
    this.end(thread).catch(() => {});
  }

  /** Ends all threads, those at work too, and rejects every task. */
  async destroy(): Promise<void> {
    this.isEnding = true;
    this.rejectQueued(terminated);
    const ended = [...this.threads].map((thread) => {
      for (const task of thread.tasks) task.reject(terminated());
      return this.end(thread);
    });
    await Promise.all(ended);
    this.isEnding = false;
  }

  rejectQueued(error: () => Error): void {
    const { taskQueue } = this.options;
    for (let task = taskQueue.shift(); task != null; task = taskQueue.shift()) task.reject(error());
  }

  /** Lets every thread finish what it does, and replaces it. */
  async replaceThreads(): Promise<void> {
    const ended: Promise<void>[] = [];
    for (const thread of this.threads) {
      if (thread.tasks.size > 0) thread.isWornOut = true;
      else ended.push(this.end(thread));
    }
    await Promise.all(ended);
    this.fill();
  }
}
