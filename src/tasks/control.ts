/**
 * What agents and the supervisor say to each other, each agent by a MessagePort of its own: posting works although the
 * poster blocks afterwards, and who is blocked reads with `receiveMessageOnPort` when it needs an answer.
 */
import type { MessagePort, ResourceLimits } from 'node:worker_threads';

/** All that is needed to start a worker, as it goes through ports. */
export interface Launch {
  readonly taskId: number;
  readonly name: string;
  readonly url: string;
  /** Thread that waits for the hello; 0 when nobody does. */
  readonly spawner: number;
  /** Functions of the chief that the task may call. */
  readonly hostNames: readonly string[];
  readonly concurrency: number;
  readonly timeout_ms: number;
  /** The side port to the chief; null where there is none. */
  readonly port: MessagePort | null;
  /** The worker's `process.argv`, behind the program. */
  readonly argv: readonly unknown[];
  /** Its environment; null: that of the process, shared. */
  readonly env: Readonly<Record<string, string | undefined>> | null;
  readonly resourceLimits: ResourceLimits | undefined;
  readonly execArgv: readonly string[];
  /** The options are those of the spawner's own thread: what of them belongs to the process is left out. */
  readonly inheritsExecArgv: boolean;
  /** RESTART_* and REPLACE_ON_TIMEOUT of layout/task.ts. */
  readonly restart: number;
  /** Timers and sockets of the task keep the process alive. */
  readonly holds: boolean;
}

/** What a task's worker finds under `l3kernel` in its workerData. */
export interface WorkerStart extends Omit<
  Launch,
  'argv' | 'env' | 'resourceLimits' | 'execArgv' | 'inheritsExecArgv' | 'restart' | 'holds' | 'name'
> {
  readonly role: 'task';
  readonly memory: WebAssembly.Memory;
  /** To the supervisor. */
  readonly control: MessagePort;
  /** The export list of the first incarnation, whose order all others keep; null for the first. */
  readonly names: readonly string[] | null;
  /** It boots in reserve: the supervisor says when it is alive. */
  readonly isSpare: boolean;
}

/** What the supervisor finds there. */
export interface SupervisorStart {
  readonly role: 'supervisor';
  readonly memory: WebAssembly.Memory;
  /** The text that a task's worker evaluates. */
  readonly bootstrap: string;
  readonly taskId: number;
  readonly main: number;
  /** To the main thread of the system. */
  readonly control: MessagePort;
  /** Null: the system is opened for guests, and no task is started yet. */
  readonly first: Launch | null;
  /** The channel on which guests ask to be let in. */
  readonly door: string;
  readonly log: LogTarget;
  /** What the system is called: the main script's file name without its extension. */
  readonly name: string;
}

/** Where the supervisor's reports go: to stderr, to the `log` function of boot, or nowhere. */
export type LogTarget = 'stderr' | 'function' | 'nowhere';

/** What is stored where a task id was asked for and there is no room for one. */
export const NO_ROOM = -1;

/** What a guest says at the door, once. It speaks on by a channel of its own. */
export interface Knock {
  /** Name of that channel. */
  readonly control: string;
  /** What it is to be called. */
  readonly name: string;
  /** Its task id is stored there, or NO_ROOM. */
  readonly cell: Int32Array<SharedArrayBuffer>;
}

/**
 * What a guest sends to the supervisor's thread: a port that closes when the guest's thread has ended. `control` is
 * that of its knock.
 */
export interface Lifeline {
  readonly l3kernel: { readonly control: string; readonly port: MessagePort };
}

export type Request =
  | { readonly kind: 'spawn'; readonly launch: Launch }
  /**
   * Starts a task in the name of the program, unless there is one of its name. `cell`: its task id is stored there, or
   * NO_ROOM.
   */
  | { readonly kind: 'share'; readonly launch: Launch; readonly cell: Int32Array<SharedArrayBuffer> }
  /** Ends a task for good; by its origin. */
  | { readonly kind: 'kill'; readonly origin: number }
  /** The hello of a task is not waited for any more; by its origin. */
  | { readonly kind: 'abandon'; readonly origin: number }
  /** A call outlived its timeout: the incarnation is REPLACED already. */
  | { readonly kind: 'replace'; readonly taskId: number; readonly timeout_ms: number }
  /** Of a worker: its module is loaded. */
  | { readonly kind: 'loaded'; readonly names: readonly string[] }
  /** Ends every task that the poster spawned; of the main thread: every task, and then the supervisor. */
  | { readonly kind: 'end' };

export type Notice =
  /** A task has ended for good. `error`: what its worker threw, or what kept it from starting, made plain. */
  | {
      readonly kind: 'exited';
      readonly origin: number;
      readonly taskId: number;
      readonly code: number;
      readonly reason: string;
      readonly error: unknown;
    }
  /** Another incarnation took the place of `before`. */
  | { readonly kind: 'restarted'; readonly before: number; readonly taskId: number; readonly port: MessagePort | null }
  | { readonly kind: 'log'; readonly line: string }
  /** To a worker: end what runs, and then the task. */
  | { readonly kind: 'end' };
