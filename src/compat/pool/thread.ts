/**
 * A thread of a pool, from the pool's side: a kernel task with the runner in it, and what it is working on.
 */
import type { Task } from '../../index.ts';
import { library, ownTask } from '../kernel.ts';
import { outOfMemory } from '../out-of-memory.ts';
import { makeSlate, SlateReader } from '../slate.ts';
import type * as RunnerModule from './runner.ts';
import type { PoolTask } from './task.ts';
import { clearTimeout } from '../../platform/timers.ts';

export interface ThreadOptions {
  readonly argv?: readonly string[] | undefined;
  readonly execArgv?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | symbol | undefined;
  readonly resourceLimits?: object | undefined;
}

export class PoolThread {
  readonly id: number;
  readonly tasks = new Set<PoolTask>();
  /** It is to be replaced when it has nothing to do. */
  isWornOut = false;
  idleTimer: NodeJS.Timeout | null = null;
  private readonly task: Task<typeof RunnerModule>;
  private readonly slate: SlateReader;
  private ending: Promise<void> | null = null;

  constructor(runner: URL, start: Omit<RunnerModule.Start, 'slate'>, options: ThreadOptions) {
    const slate = makeSlate();
    const { argv, execArgv, env, resourceLimits } = options;
    this.id = start.workerId;
    this.slate = new SlateReader(slate);
    this.task = ownTask<typeof RunnerModule>(runner, { args: argv, execArgv, env, resourceLimits });
    // Why it did not start is said by the tasks that it is given.
    (this.task.async.open({ ...start, slate }) as Promise<void>).catch(() => {});
  }

  get isAlive(): boolean {
    return this.ending === null && this.task.alive;
  }

  /** Whether it may be ended under its one task, so that no other may be given to it. */
  get isReserved(): boolean {
    const [first] = this.tasks;
    return this.tasks.size === 1 && first!.signal !== null;
  }

  /** The result of a task. Rejects with the task's own error, or with what ended the thread. */
  async run(task: PoolTask): Promise<unknown> {
    this.tasks.add(task);
    try {
      for (const item of task.transfers) {
        if (item instanceof ArrayBuffer || ArrayBuffer.isView(item)) library().move(item as ArrayBuffer);
      }
      return await this.task.async.call(task.filename, task.name, task.value);
    } catch (error) {
      throw await this.explain(error);
    } finally {
      this.tasks.delete(task);
    }
  }

  call(filename: string, name: string): Promise<unknown> {
    return this.task.async.call(filename, name, {}) as Promise<unknown>;
  }

  heapUsed(): Promise<number> {
    return this.task.async.heapUsed() as Promise<number>;
  }

  end(): Promise<void> {
    if (this.idleTimer !== null) clearTimeout(this.idleTimer);
    this.ending ??= this.task.kill();
    return this.ending;
  }

  private async explain(error: unknown): Promise<unknown> {
    const { code, cause } = error as { code?: unknown; cause?: unknown };
    if (code === 'ERR_IPC_NOT_CLONEABLE') return new DOMException((error as Error).message, 'DataCloneError');
    if (!(error instanceof library().IpcError)) return error;
    if (code === 'ERR_IPC_SPAWN_FAILED') return cause ?? error;
    if (code !== 'ERR_IPC_PEER_GONE' && code !== 'ERR_IPC_NO_SUCH_THREAD') return error;
    if (this.ending !== null) return new Error('Terminating worker thread');
    const last = this.slate.lastError();
    if (last !== undefined) return last.error;
    const exit = await this.task.exited;
    if (exit.reason === 'out of memory') return outOfMemory(error);
    return new Error(`worker exited with code: ${this.slate.exitCode() ?? exit.code}`);
  }
}
