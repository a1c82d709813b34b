/**
 * What every kind of task has in common, behind one interface: how it is started, what its spawner knows of it, and how
 * it ends.
 */
import type { TaskId } from '../layout/task.ts';
import type { ThreadId } from '../layout/tcb.ts';
import type { Options, Pool, Target } from '../rpc/call.ts';
import type { Exports } from '../rpc/serve.ts';
import type { SpawnOptions, Stubs, Task, TaskExit, TaskKind } from '../rpc/types.ts';

/** A task that was started, as its host gives it to the system. */
export interface HostedTask {
  readonly kind: TaskKind;
  readonly taskId: TaskId;
  readonly target: Target;
  readonly exports: Exports;
  readonly exited: Promise<TaskExit>;
  /** Its address space, where the spawner may look into it. */
  readonly memory?: Uint8Array | undefined;
  /** The end of a worker, for which the process is not kept alive. */
  whenEnded?(action: (exit: TaskExit) => void): void;
  isAlive(): boolean;
  kill(): Promise<void>;
  stubs(options: Options): Stubs;
}

/** What a host needs to start a task whose record and threads exist already. */
export interface Start {
  readonly url: URL;
  readonly taskId: TaskId;
  readonly server: ThreadId;
  readonly name: string;
  readonly options: SpawnOptions;
  /** The pool that it is to be in. */
  readonly pool: Pool | null;
  /** Whether timers and sockets of the task keep the process alive. */
  readonly holds: boolean;
  /** Starts another task, which this one needs, in place. */
  spawn(url: URL, options: SpawnOptions): Task;
  /** Gives the records back: the task did not start. */
  discard(): void;
}

/** A task on its way. */
export interface Starting {
  readonly hosted: Promise<HostedTask>;
  /** The same, blocking this thread until the task is there; throws what `hosted` would reject with. */
  wait(): HostedTask;
  /** Ends the task although it is not there yet. A kind that has none of it starts in a time that is its module's. */
  cancel?(): void;
}

/** A kind of task. */
export interface TaskHost {
  start(start: Start): Starting;
  /** The same, blocking this thread. */
  startSync(start: Start): HostedTask;
}
