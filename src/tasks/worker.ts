/**
 * Tasks in worker threads. The worker is started with a text that holds the whole kernel, finds kernel memory in its
 * `workerData`, takes the task's identity on, imports the module, and says hello: a message with the export list, or
 * with the error that kept the module from loading.
 */
import { inspect } from 'node:util';
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from 'node:worker_threads';
import { load, peek, registers } from '#atomics';
import { freeThreads, repairTask } from '../kernel/fault.ts';
import { awaitMessage, finishMessage, startReceive } from '../kernel/ipc-slow.ts';
import { freeTask } from '../kernel/tcb.ts';
import { NEVER, NOT_YET, OK, R_TAG, type Result, TAG_FLAG } from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { HEADER_TASKS_MAX } from '../layout/map.ts';
import {
  TASK_CHIEF,
  TASK_DEAD,
  TASK_EXIT_CODE,
  TASK_FREE,
  TASK_ID,
  TASK_LOOP_ALIVE,
  TASK_STATE,
  taskAt,
} from '../layout/task.ts';
import { TCB_ID, type Tcb } from '../layout/tcb.ts';
import { poke } from '../platform/atomics.ts';
import { memory } from '../platform/memory.ts';
import { takeMessage } from '../kernel/transfer.ts';
import { agent, idOf } from '../user/agent.ts';
import { unwatch, watch, type Watcher } from '../user/loop.ts';
import { giveCallTcb, takeCallTcb, makeTarget } from '../rpc/call.ts';
import { closePort, setPort } from '../rpc/carry.ts';
import { takeThrown } from '../rpc/failure.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import { takeResult } from '../rpc/payload.ts';
import { grantHost, revokeHost } from '../rpc/serve.ts';
import { makeStubs } from '../rpc/stub.ts';
import type { TaskExit } from '../rpc/types.ts';
import { defaultTimeout_ms } from './here.ts';
import type { HostedTask, Start, Starting, TaskHost } from './host.ts';

/** What a worker finds under `l3kernel` in its workerData. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  readonly taskId: number;
  readonly url: string;
  /** Thread that waits for the hello. */
  readonly spawner: number;
  readonly hostNames: readonly string[];
  readonly concurrency: number;
  readonly timeout_ms: number;
  readonly port: MessagePort;
  readonly bootstrap: string;
}

/**
 * The text that workers evaluate. The package's entry states it; a worker has it from its spawner, for a text cannot
 * contain itself.
 */
let bootstrap = '';

export const setBootstrap = (text: string): void => {
  bootstrap = text;
};

/** A worker from its start to its exit. */
interface Running {
  readonly taskId: number;
  readonly worker: Worker;
  readonly exited: Promise<TaskExit>;
  /** Work in its loop keeps the process alive. */
  readonly holds: boolean;
  error: unknown;
  killed: boolean;
  alive: boolean;
}

/** Workers that this agent started and that have not exited. */
const running = new Set<Running>();
/** What to do with tasks that are not ready when the system is shut down. */
const starting = new Set<() => void>();

function launch(start: Start, spawner: number): Running {
  const { options, taskId, url } = start;
  const hostNames = options.host === undefined ? [] : grantHost(taskId, options.host as Record<string, unknown>);
  const { port1, port2 } = new MessageChannel();
  const data: WorkerStart = {
    memory,
    taskId,
    url: url.href,
    spawner,
    hostNames,
    concurrency: options.concurrency ?? Number.POSITIVE_INFINITY,
    timeout_ms: defaultTimeout_ms,
    port: port2,
    bootstrap,
  };
  const workerOptions: WorkerOptions = {
    eval: true,
    name: start.name,
    workerData: { l3kernel: data },
    transferList: [port2],
    ...(options.args === undefined ? {} : { argv: [...options.args] }),
    ...(options.env === undefined ? {} : { env: options.env as NodeJS.ProcessEnv }),
    ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
    ...(options.execArgv === undefined ? {} : { execArgv: [...options.execArgv] }),
  };
  const worker = new Worker(bootstrap, workerOptions);
  worker.unref();
  setPort(taskId, port1);
  return follow(worker, start);
}

/** Hears of the worker's errors and exit. */
function follow(worker: Worker, start: Start): Running {
  const state: Running = {
    taskId: start.taskId,
    worker,
    exited: exitOf(worker, start, () => state),
    holds: start.holds,
    error: undefined,
    killed: false,
    alive: true,
  };
  worker.on('error', (error) => {
    state.error = error;
  });
  running.add(state);
  return state;
}

function exitOf(worker: Worker, start: Start, state: () => Running): Promise<TaskExit> {
  return new Promise((resolve) => {
    worker.on('exit', (code) => {
      const { error, killed } = state();
      state().alive = false;
      running.delete(state());
      bury(start.taskId, code);
      resolve({ code, reason: exitReason(code, error, killed) });
    });
  });
}

function exitReason(code: number, error: unknown, killed: boolean): string {
  if (killed) return 'killed';
  if ((error as { code?: string } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'out of memory';
  if (error instanceof Error) return error.message;
  if (error !== undefined) return `threw ${typeof error === 'string' ? error : inspect(error)}`;
  return code === 0 ? 'ended by itself' : `exit code ${code}`;
}

/** Repairs what a dead task leaves behind, and gives its records back. */
function bury(taskId: number, code: number): void {
  const task = taskAt(taskId & INDEX_MASK);
  if (peek(task + TASK_ID) !== taskId) return;
  // The workers that it started have ended with it, and its local tasks had no other agent.
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) {
    const made = taskAt(index);
    if (load(made + TASK_STATE) !== TASK_FREE && peek(made + TASK_CHIEF) === taskId) bury(peek(made + TASK_ID), 1);
  }
  const holder = peek(agent.caller + TCB_ID) & INDEX_MASK;
  poke(task + TASK_EXIT_CODE, code);
  repairTask(task, holder);
  freeThreads(task, holder);
  freeTask(task);
  closePort(taskId);
  revokeHost(taskId);
}

function spawnFailed(start: Start, cause: unknown): IpcError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new IpcError('ERR_IPC_SPAWN_FAILED', `task '${start.name}' did not start: ${why}`, {
    phase: 'spawn',
    task: start.name,
    cause,
  });
}

/** The hello in the registers of `self`: the export list. Throws what the module threw. */
function readHello(self: Tcb): string[] {
  const tag = registers[R_TAG]!;
  if ((tag & TAG_FLAG) !== 0) throw takeThrown(self, tag);
  return takeResult(self, tag) as string[];
}

function hosted(start: Start, state: Running, names: readonly string[]): HostedTask {
  const target = makeTarget(start.server, start.taskId, start.name);
  return {
    kind: 'worker',
    taskId: start.taskId,
    target,
    names,
    get exited() {
      // Who waits for the end wants to see it: from here on the worker keeps the process alive.
      state.worker.ref();
      return state.exited;
    },
    isAlive: () => state.alive,
    kill: async () => {
      state.killed = true;
      await state.worker.terminate();
      await state.exited;
    },
    stubs: (exported, options) => makeStubs(target, exported, options),
  };
}

function start(begun: Start): Starting {
  const tcb = takeCallTcb();
  if (tcb === 0) {
    bury(begun.taskId, 1);
    const text = `task '${begun.name}': too many calls are in flight to start a task`;
    throw new IpcError('ERR_IPC_LIMIT', text, { task: begun.name });
  }
  // The wait begins before the worker does: its hello finds us waiting.
  const waits = startReceive(tcb, begun.server);
  let state: Running;
  try {
    state = launch(begun, idOf(tcb));
  } catch (error) {
    bury(begun.taskId, 1);
    giveCallTcb(tcb);
    throw spawnFailed(begun, error);
  }
  let outcome: { hosted: HostedTask } | { error: unknown } | null = null;
  const { promise, resolve, reject } = Promise.withResolvers<HostedTask>();
  /** `code` OK: the hello is in the registers. */
  const finish = (code: Result): void => {
    unwatch(watcher);
    starting.delete(onShutdown);
    try {
      if (code === OK) outcome = { hosted: hosted(begun, state, readHello(tcb)) };
    } catch (error) {
      outcome = { error: spawnFailed(begun, error) };
    }
    if (outcome === null) void state.exited.then(({ reason }) => reject(endedEarly(begun, state, reason)));
    else if ('hosted' in outcome) resolve(outcome.hosted);
    else reject(outcome.error as Error);
    giveCallTcb(tcb);
  };
  const onShutdown = (): void => {
    unwatch(watcher);
    reject(new IpcError('ERR_IPC_SHUTDOWN', `task '${begun.name}' did not start: the system is shutting down`));
  };
  const watcher: Watcher = {
    tcb,
    polls: false,
    onTaken: () => {},
    onMessage: () => {
      takeMessage(tcb);
      finish(finishMessage(tcb));
    },
  };
  starting.add(onShutdown);
  if (waits === NOT_YET) watch(watcher);
  else finish(waits);
  const wait = (): HostedTask => {
    if (outcome === null) finish(awaitMessage(tcb, NEVER, NEVER));
    if (outcome === null) throw endedEarly(begun, state, 'the worker ended before it was ready');
    if ('hosted' in outcome) return outcome.hosted;
    throw outcome.error;
  };
  return { hosted: promise, wait };
}

const endedEarly = (begun: Start, { error }: Running, reason: string): IpcError =>
  spawnFailed(begun, error ?? new Error(reason));

function startSync(begun: Start): HostedTask {
  const self = agent.current;
  let state: Running;
  try {
    state = launch(begun, idOf(self));
  } catch (error) {
    bury(begun.taskId, 1);
    throw spawnFailed(begun, error);
  }
  let code = startReceive(self, begun.server);
  if (code === NOT_YET) code = awaitMessage(self, NEVER, NEVER);
  else if (code === OK) {
    takeMessage(self);
    code = finishMessage(self);
  }
  if (code !== OK) throw endedEarly(begun, state, 'the worker ended before it was ready');
  let names: string[];
  try {
    names = readHello(self);
  } catch (error) {
    throw spawnFailed(begun, error);
  }
  return hosted(begun, state, names);
}

export const workerHost: TaskHost = { start, startSync };

/** Ends every worker that this agent started; resolves when all have exited. */
export async function endWorkers(): Promise<void> {
  const ending = [...running];
  for (const end of starting) end();
  starting.clear();
  for (const state of ending) state.killed = true;
  await Promise.all(ending.map((state) => state.worker.terminate()));
  await Promise.all(ending.map((state) => state.exited));
}

/**
 * Whether a worker of this agent has work in its loop (timers, sockets), or is about to exit: the process lives for it.
 */
export const someLoopLives = (): boolean =>
  [...running].some(({ taskId, holds }) => {
    if (!holds) return false;
    const task = taskAt(taskId & INDEX_MASK);
    return peek(task + TASK_LOOP_ALIVE) !== 0 || peek(task + TASK_STATE) === TASK_DEAD;
  });
