/**
 * Tasks in worker threads, as their spawner sees them. The supervisor starts the worker with a text that holds the
 * whole kernel; the worker finds kernel memory in its `workerData`, takes the task's identity on, imports the module,
 * and says hello to the spawner by ipc: a message with the export list, or with the error that kept the module from
 * loading. Of its end, and of other incarnations, the spawner hears by its port to the supervisor.
 */
import { MessageChannel, SHARE_ENV } from 'node:worker_threads';
import { load, peek, poke, registers } from '#atomics';
import { awaitMessage, finishMessage, startReceive } from '../kernel/ipc-slow.ts';
import { HEADER_RESTARTS } from '../layout/map.ts';
import { ABORTED, NEVER, NOT_YET, OK, ORPHANED, R_TAG, type Result, TAG_FLAG } from '../layout/message.ts';
import { LISTEN_SLICE_ms } from '../layout/params.ts';
import {
  REPLACE_ON_TIMEOUT,
  RESTART_ALWAYS,
  RESTART_ON_FAILURE,
  TASK_DEAD,
  TASK_FREE,
  TASK_ID,
  TASK_LOOP_ALIVE,
  TASK_RESTART,
  TASK_STATE,
} from '../layout/task.ts';
import type { Tcb } from '../layout/tcb.ts';
import { takeMessage } from '../kernel/transfer.ts';
import { agent, idOf } from '../user/agent.ts';
import { COMING, GONE, incarnationOf, recordOf, RingWait } from '../user/incarnations.ts';
import { unwatch, watch, type Watcher } from '../user/loop.ts';
import { giveCallTcb, makeTarget, takeCallTcb, type Target } from '../rpc/call.ts';
import { closePort, setPort } from '../rpc/carry.ts';
import { plainToError } from '../rpc/errors-codec.ts';
import { takeThrown } from '../rpc/failure.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import { setNewsReaders } from '../rpc/news.ts';
import { takeResult } from '../rpc/payload.ts';
import { type Exports, grantHost, revokeHost } from '../rpc/serve.ts';
import { makeStubs } from '../rpc/stub.ts';
import { retarget, setReplacer } from '../rpc/successor.ts';
import type { SpawnOptions, TaskExit } from '../rpc/types.ts';
import type { Launch, Notice } from './control.ts';
import { defaultTimeout_ms } from './here.ts';
import type { HostedTask, Start, Starting, TaskHost } from './host.ts';
import {
  hearAwaited,
  hearNow,
  isGuest,
  keepAlive,
  onNotice,
  onSupervisorFailure,
  request,
  requestEnd,
  requestSpawn,
} from './supervisor.ts';

/** A task from its start to its final exit. */
interface Running {
  readonly origin: number;
  /** The present incarnation, as far as we have heard. */
  taskId: number;
  readonly target: Target;
  readonly exited: Promise<TaskExit>;
  readonly exit: (exit: TaskExit) => void;
  /** Work in its loop keeps the process alive. */
  readonly holds: boolean;
  error: unknown;
  end: TaskExit | null;
}

/** Tasks that this agent spawned and that have not ended for good, by origin. */
const running = new Map<number, Running>();
/** What to do with tasks that are not ready when the system is shut down. */
const starting = new Set<() => void>();
let end: () => void = () => {};

/** States what a worker does when it is told that the system shuts down. */
export const onEnd = (action: () => void): void => {
  end = action;
};

onNotice((notice: Notice) => {
  if (notice.kind === 'exited') {
    const state = running.get(notice.origin);
    awaitBurial(notice.taskId);
    if (state !== undefined) finish(state, notice, notice.error === undefined ? undefined : plainToError(notice.error));
  } else if (notice.kind === 'restarted') {
    adopt(notice);
  } else if (notice.kind === 'end') {
    end();
  }
});
onSupervisorFailure((reason) => {
  for (const state of [...running.values()]) finish(state, { code: 1, reason }, undefined);
});
setNewsReaders(hearNow, hearAwaited);
setReplacer((taskId, timeout_ms) => request({ kind: 'replace', taskId, timeout_ms }));

/** Another incarnation has come. */
function adopt({ before, taskId, port }: Extract<Notice, { kind: 'restarted' }>): void {
  closePort(before);
  if (port !== null) setPort(taskId, port);
  for (const state of running.values()) {
    if (state.taskId !== before) continue;
    state.taskId = taskId;
    if (state.target.taskId === before) retarget(state.target);
  }
}

/** Waits in place until a task that has ended is buried, as it is about to be: who hears of the end sees no trace. */
function awaitBurial(taskId: number): void {
  const task = recordOf(taskId);
  const ring = new RingWait();
  for (;;) {
    const rung = load(HEADER_RESTARTS);
    if (load(task + TASK_STATE) === TASK_FREE || peek(task + TASK_ID) !== taskId) return;
    if (!ring.sleep(rung, LISTEN_SLICE_ms)) return;
  }
}

function finish(state: Running, { code, reason }: TaskExit, error: unknown): void {
  running.delete(state.origin);
  closePort(state.taskId);
  revokeHost(state.origin);
  state.error = error;
  state.end = { code, reason };
  state.exit(state.end);
}

function policyOf({ restart, onTimeout }: SpawnOptions): number {
  const again = restart === 'always' ? RESTART_ALWAYS : restart === 'on-failure' ? RESTART_ON_FAILURE : 0;
  return again | (onTimeout === 'kill' ? REPLACE_ON_TIMEOUT : 0);
}

type Named = Pick<Start, 'url' | 'name' | 'options' | 'holds'>;
type Known = Pick<Launch, 'taskId' | 'spawner' | 'hostNames' | 'port'>;

/** All that is needed to start the worker of a task. */
export function launchOf({ url, name, options, holds }: Named, known: Known): Launch {
  const { env } = options;
  return {
    ...known,
    name,
    url: url.href,
    concurrency: options.concurrency ?? Number.POSITIVE_INFINITY,
    timeout_ms: defaultTimeout_ms,
    argv: (options.args ?? []).map(String),
    // A symbol goes through no port.
    env: env === SHARE_ENV ? null : { ...(env === undefined ? process.env : (env as NodeJS.ProcessEnv)) },
    resourceLimits: options.resourceLimits,
    execArgv: [...(options.execArgv ?? process.execArgv)],
    inheritsExecArgv: options.execArgv === undefined,
    restart: policyOf(options),
    holds,
  };
}

function launch(start: Start, spawner: number): Running {
  const { options, taskId } = start;
  // The channel of a guest carries no ports.
  const side = isGuest() ? null : new MessageChannel();
  const hostNames = options.host === undefined ? [] : grantHost(taskId, options.host as Record<string, unknown>);
  const launched = launchOf(start, { taskId, spawner, hostNames, port: side === null ? null : side.port2 });
  const { restart } = launched;
  poke(recordOf(taskId) + TASK_RESTART, restart);
  if (side !== null) setPort(taskId, side.port1);
  const { promise, resolve } = Promise.withResolvers<TaskExit>();
  const state: Running = {
    origin: taskId,
    taskId,
    target: makeTarget(start.server, taskId, start.name, start.pool),
    exited: promise,
    exit: resolve,
    holds: start.holds,
    error: undefined,
    end: null,
  };
  running.set(taskId, state);
  try {
    requestSpawn(launched);
  } catch (error) {
    running.delete(taskId);
    closePort(taskId);
    revokeHost(taskId);
    throw error;
  }
  return state;
}

function spawnFailed(start: Start, cause: unknown): IpcError {
  const why = cause instanceof Error ? cause.message : String(cause);
  // A wasm task in a worker has said so itself.
  const said = `task '${start.name}' did not start: `;
  return new IpcError('ERR_IPC_SPAWN_FAILED', why.startsWith(said) ? why : said + why, {
    phase: 'spawn',
    task: start.name,
    cause,
  });
}

/** The hello in the registers of `self`: the exports. Throws what the module threw. */
function readHello(self: Tcb): Exports {
  const tag = registers[R_TAG]!;
  if ((tag & TAG_FLAG) !== 0) throw takeThrown(self, tag);
  return takeResult(self, tag) as Exports;
}

function hosted(start: Start, state: Running, exported: Exports): HostedTask {
  const { target } = state;
  return {
    kind: 'worker',
    taskId: start.taskId,
    target,
    exports: exported,
    get exited() {
      // Who waits for the end wants to see it: from here on the task keeps the process alive.
      if (state.end === null) void state.exited.then(keepAlive());
      return state.exited;
    },
    whenEnded: (action) => void state.exited.then(action),
    isAlive: () => state.end === null && incarnationOf(state.origin) !== GONE,
    kill: async () => {
      if (state.end !== null) return;
      const letGo = keepAlive();
      request({ kind: 'kill', origin: state.origin });
      await state.exited;
      letGo();
    },
    stubs: (options) => makeStubs(target, exported, options),
  };
}

function start(begun: Start): Starting {
  const tcb = takeCallTcb();
  if (tcb === 0) {
    begun.discard();
    const text = `task '${begun.name}': too many calls are in flight to start a task`;
    throw new IpcError('ERR_IPC_LIMIT', text, { task: begun.name });
  }
  // The wait begins before the worker does: its hello finds us waiting.
  const waits = startReceive(tcb, begun.server);
  let state: Running;
  try {
    state = launch(begun, idOf(tcb));
  } catch (error) {
    begun.discard();
    takeMessage(tcb);
    giveCallTcb(tcb);
    throw error instanceof IpcError ? error : spawnFailed(begun, error);
  }
  let outcome: { hosted: HostedTask } | { error: unknown } | null = null;
  /** How the wait for the hello ended, NOT_YET while it goes on. */
  let waited: Result = NOT_YET;
  const { promise, resolve, reject } = Promise.withResolvers<HostedTask>();
  /** `code` OK: the hello is in the registers. */
  const finishStart = (code: Result): void => {
    unwatch(watcher);
    starting.delete(onShutdown);
    waited = code;
    try {
      if (code === OK) outcome = { hosted: hosted(begun, state, readHello(tcb)) };
    } catch (error) {
      outcome = { error: spawnFailed(begun, error) };
    }
    if (outcome === null) {
      abandon(state);
      const letGo = keepAlive();
      void state.exited.then(() => {
        letGo();
        reject(endedEarly(begun, state, code));
      });
    } else if ('hosted' in outcome) resolve(outcome.hosted);
    else reject(outcome.error as Error);
    giveCallTcb(tcb);
  };
  // The tcb is free when the task has ended.
  const onShutdown = (): void =>
    reject(new IpcError('ERR_IPC_SHUTDOWN', `task '${begun.name}' did not start: the system is shutting down`));
  const watcher: Watcher = {
    tcb,
    polls: false,
    number: 0,
    onTaken: () => {},
    onMessage: () => {
      takeMessage(tcb);
      finishStart(finishMessage(tcb));
    },
  };
  starting.add(onShutdown);
  if (waits === NOT_YET) watch(watcher);
  else finishStart(waits);
  const wait = (): HostedTask => {
    if (waited === NOT_YET) finishStart(awaitMessage(tcb, NEVER, NEVER));
    if (outcome === null) throw awaitEnd(begun, state, waited);
    if ('hosted' in outcome) return outcome.hosted;
    throw outcome.error;
  };
  return { hosted: promise, wait, cancel: () => request({ kind: 'kill', origin: state.origin }) };
}

/**
 * Nobody waits for the hello of a task any more: it is ended, if it has not been. It may have been ready all the same,
 * and would come again.
 */
const abandon = ({ origin }: Running): void => request({ kind: 'abandon', origin });

/** Why there is no task. `code`: how the wait for its hello ended. */
function endedEarly(begun: Start, { error, end: exit }: Running, code: Result): IpcError {
  if (code !== ABORTED) {
    return spawnFailed(begun, error ?? new Error(exit?.reason ?? 'the worker ended before it was ready'));
  }
  const text = `task '${begun.name}' did not start: the wait for it was cancelled`;
  return new IpcError('ERR_IPC_ABORTED', text, { phase: 'spawn', task: begun.name });
}

/** Blocks this thread until the supervisor has said why a task ended before it was ready. */
function awaitEnd(begun: Start, state: Running, code: Result): IpcError {
  const ring = new RingWait();
  for (;;) {
    const rung = load(HEADER_RESTARTS);
    hearNow();
    if (state.end !== null || !ring.sleep(rung, LISTEN_SLICE_ms)) return endedEarly(begun, state, code);
  }
}

function startSync(begun: Start): HostedTask {
  const self = agent.current;
  let state: Running;
  try {
    state = launch(begun, idOf(self));
  } catch (error) {
    begun.discard();
    throw error instanceof IpcError ? error : spawnFailed(begun, error);
  }
  let code = startReceive(self, begun.server);
  if (code === NOT_YET) code = awaitMessage(self, NEVER, NEVER);
  else if (code === OK) {
    takeMessage(self);
    code = finishMessage(self);
  }
  if (code === ORPHANED) throw spawnFailed(begun, new Error('the supervisor of the system has ended'));
  if (code !== OK) {
    abandon(state);
    throw awaitEnd(begun, state, code);
  }
  let exported: Exports;
  try {
    exported = readHello(self);
  } catch (error) {
    throw spawnFailed(begun, error);
  }
  return hosted(begun, state, exported);
}

export const workerHost: TaskHost = { start, startSync };

/** Ends every task that this agent spawned in a worker; resolves when all have ended. */
export async function endWorkers(): Promise<void> {
  for (const reject of starting) reject();
  starting.clear();
  const letGo = keepAlive();
  const ending = [...running.values()];
  requestEnd();
  await Promise.all(ending.map((state) => state.exited));
  letGo();
}

/**
 * Whether a task that this agent spawned has work in its loop (timers, sockets), or is about to end: the process lives
 * for it.
 */
export const someLoopLives = (): boolean =>
  [...running.values()].some(({ origin, taskId, holds }) => {
    if (!holds) return false;
    const present = incarnationOf(origin);
    if (present === COMING) return true;
    if (present !== GONE) return peek(present + TASK_LOOP_ALIVE) !== 0;
    const task = recordOf(taskId);
    return peek(task + TASK_ID) === taskId && load(task + TASK_STATE) === TASK_DEAD;
  });
