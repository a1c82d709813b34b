/**
 * The supervisor as an agent of its system sees it: a port for requests and notices. The main thread starts it with the
 * first worker; a worker was given its port. When the supervisor ends, everything it was the parent of has ended with
 * it, and the main thread repairs what is left.
 */
import { basename } from 'node:path';
import {
  type BroadcastChannel,
  MessageChannel,
  MessagePort,
  receiveMessageOnPort,
  SHARE_ENV,
  Worker,
} from 'node:worker_threads';
import { load, peek, poke, store } from '#atomics';
import { createTask } from '../kernel/tcb.ts';
import { HEADER_BEAT, HEADER_TASKS_MAX, HEADER_THREADS_MAX } from '../layout/map.ts';
import { OK } from '../layout/message.ts';
import { SHUTDOWN_GRACE_ms, TASKS_MAX, THREADS_MAX } from '../layout/params.ts';
import {
  TASK_ALIVE,
  TASK_FREE,
  TASK_KIND,
  TASK_KIND_GUEST,
  TASK_KIND_SUPERVISOR,
  TASK_PROCESSOR,
  TASK_RESTART,
  TASK_STATE,
  taskAt,
  type TaskRecord,
} from '../layout/task.ts';
import { announceHouse, house, isOpen } from '../platform/house.ts';
import { memory } from '../platform/memory.ts';
import { agent, createStandingThreads, discardTask, sayEnded } from '../user/agent.ts';
import { recordOf, ringRestarts, setReason } from '../user/incarnations.ts';
import { setName } from '../user/names.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import { names } from './names.ts';
import type { Launch, LogTarget, Notice, Request, SupervisorStart } from './control.ts';
import { clearTimeout, setTimeout } from '../platform/timers.ts';

/** The texts that workers evaluate. The package's entry states them; in a task nobody needs them. */
let bootstrap = { task: '', supervisor: '' };
/** Our end of the port; null before the first worker, and when the supervisor has ended. */
let port: MessagePort | BroadcastChannel | null = null;
/** Whether this agent is a guest, see guest.ts. */
export const isGuest = (): boolean => port !== null && !(port instanceof MessagePort);
/** In the main thread. */
let supervisor: Worker | null = null;
let ended: Promise<void> | null = null;
/** Why there is no supervisor any more. */
let failure: string | null = null;
let isEnding = false;
let hear: (notice: Notice) => void = () => {};
let log: ((line: string) => void) | false | undefined;
/** Those who wait for a notice, and for whom the loop stays alive. */
let waiters = 0;

export const setBootstrap = (texts: typeof bootstrap): void => {
  bootstrap = texts;
};

/** States what to do with notices of the supervisor. */
export const onNotice = (listener: (notice: Notice) => void): void => {
  hear = listener;
};

/** States where the supervisor's reports go. */
export const setLog = (target: ((line: string) => void) | false | undefined): void => {
  log = target;
};

/** Takes on the port that this worker's parent gave it. */
export function usePort(given: MessagePort): void {
  port = given;
  port.on('message', receive);
  port.unref();
}

/** The same of a guest, whose line is a channel of its own. */
export function useChannel(given: BroadcastChannel): void {
  port = given;
  given.onmessage = (event: unknown) => receive((event as { data: Notice }).data);
  given.unref();
}

function receive(notice: Notice): void {
  if (notice.kind === 'log') {
    if (typeof log === 'function') log(notice.line);
  } else hear(notice);
}

/** Reads the notices that are there, in a thread whose loop does not run. */
export function hearNow(): void {
  if (port === null) return;
  for (;;) {
    const received = receiveMessageOnPort(port as MessagePort) as { message: Notice } | undefined;
    if (received === undefined) return;
    receive(received.message);
  }
}

/** The same, if somebody waits for one of them. */
export const hearAwaited = (): void => {
  if (waiters > 0) hearNow();
};

/** The loop stays alive for a notice until what is returned is called. */
export function keepAlive(): () => void {
  waiters++;
  port?.ref();
  return () => {
    waiters--;
    if (waiters === 0) port?.unref();
  };
}

/** Starts a task's worker. Throws an IpcError when there is no supervisor to do it. */
export function requestSpawn(launch: Launch): void {
  checkHouse(launch.name);
  if (port === null) startSupervisor(launch);
  else if (launch.port === null) request({ kind: 'spawn', launch });
  else (port as MessagePort).postMessage({ kind: 'spawn', launch } satisfies Request, [launch.port]);
}

/** Throws an IpcError when the supervisor that was there has ended. A guest's may have been followed by another. */
export function checkHouse(task: string): void {
  if (failure !== null) throw new IpcError('ERR_IPC_PEER_GONE', failure, { phase: 'spawn', task });
  if (isGuest() && !isOpen(house!, load)) throw new IpcError('ERR_IPC_SHUTDOWN', 'the system has ended');
}

/** Starts the supervisor, if there is none, so that guests find the system. */
export function openHouse(): void {
  if (port === null && failure === null) startSupervisor(null);
}

/** Asks the supervisor for something; nobody hears it when it has ended. */
export function request(message: Request): void {
  port?.postMessage(message);
}

/**
 * The records of the supervisor's task are beyond the limits that the program set for its own. What is returned takes
 * that back.
 */
function raiseLimits(): () => void {
  const tasks_max = peek(HEADER_TASKS_MAX);
  const threads_max = peek(HEADER_THREADS_MAX);
  poke(HEADER_TASKS_MAX, Math.min(TASKS_MAX, tasks_max + 1));
  poke(HEADER_THREADS_MAX, Math.min(THREADS_MAX, threads_max + 2));
  return () => {
    poke(HEADER_TASKS_MAX, tasks_max);
    poke(HEADER_THREADS_MAX, threads_max);
  };
}

/** `undo` is done when there is something in the first launch that goes through no port. */
function makeWorker(start: SupervisorStart, ports: MessagePort[], undo: () => void): Worker {
  const side = start.first?.port ?? null;
  try {
    return new Worker(bootstrap.supervisor, {
      eval: true,
      name: 'l3 supervisor',
      env: SHARE_ENV,
      execArgv: [],
      workerData: { l3kernel: start },
      transferList: side === null ? ports : [...ports, side],
    });
  } catch (error) {
    undo();
    throw error;
  }
}

function startSupervisor(first: Launch | null): void {
  const lowerLimits = raiseLimits();
  const taskId = createTask(agent.taskId, TASK_KIND_SUPERVISOR, 0);
  if (taskId === 0 || createStandingThreads(taskId) !== OK) {
    if (taskId !== 0) discardTask(recordOf(taskId));
    lowerLimits();
    throw new IpcError('ERR_IPC_LIMIT', 'the system has no task or thread left for its supervisor');
  }
  setName(recordOf(taskId), 'supervisor');
  const { port1, port2 } = new MessageChannel();
  const target: LogTarget = log === undefined ? 'stderr' : log === false ? 'nowhere' : 'function';
  const start: SupervisorStart = {
    role: 'supervisor',
    memory,
    bootstrap: bootstrap.task,
    taskId,
    main: agent.taskId,
    control: port2,
    first,
    // Known to this process alone. Not of node:crypto, which takes milliseconds to load.
    door: `l3kernel/${taskId}/${Math.random()}`,
    log: target,
    name: basename(process.argv[1] ?? 'node').replace(/\.[^.]*$/, ''),
  };
  const worker = makeWorker(start, [port2], () => {
    port1.close();
    discardTask(recordOf(taskId));
    lowerLimits();
  });
  worker.unref();
  usePort(port1);
  supervisor = worker;
  announceHouse({ memory, door: start.door, supervisor: taskId, thread: worker.threadId });
  let error: unknown;
  worker.on('error', (thrown) => {
    error = thrown;
  });
  ended = new Promise((resolve) => {
    worker.on('exit', (code) => {
      // What it said before its end comes first.
      hearNow();
      port = null;
      announceHouse(undefined);
      port1.close();
      supervisor = null;
      fail(isEnding ? 'as it was asked to' : `exit code ${code}${error instanceof Error ? `: ${error.message}` : ''}`);
      resolve();
    });
  });
}

/** Whether a task lives in this agent, the only one that is left. */
const isOurs = (task: TaskRecord): boolean => peek(task + TASK_PROCESSOR) === peek(agent.task + TASK_PROCESSOR);

/** Whether a task's thread may be running although the supervisor has ended: its records must not be used again. */
export const isLiveGuest = (task: TaskRecord): boolean =>
  peek(task + TASK_KIND) === TASK_KIND_GUEST && load(task + TASK_STATE) === TASK_ALIVE;

/**
 * The supervisor has ended, and every worker with it: everybody who waits for one of them is told. One that was asked
 * to end has told them already.
 */
function fail(how: string): void {
  failure = `the supervisor of the system has ended (${how}), and every task with it`;
  // Its silence has been noticed.
  store(HEADER_BEAT, 0);
  const theirs: TaskRecord[] = [];
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) {
    const task = taskAt(index);
    if (load(task + TASK_STATE) !== TASK_FREE && !isOurs(task) && !isLiveGuest(task)) theirs.push(task);
  }
  theirs.forEach(sayEnded);
  for (const task of theirs) {
    poke(task + TASK_RESTART, 0);
    names.release(task);
    setReason(task, failure);
    discardTask(task);
  }
  ringRestarts();
  hearFailure();
}

let hearFailure: () => void = () => {};
/** States what to do when the supervisor has ended. */
export const onSupervisorFailure = (listener: (reason: string) => void): void => {
  hearFailure = () => listener(failure ?? '');
};

/** Time beyond the grace after which the supervisor is ended by force: it has hung. */
const END_MARGIN_ms = 2000;
let endTimer: NodeJS.Timeout | null = null;

/** Ends all tasks of the system, then the supervisor; of a worker: the tasks that it spawned. */
export function requestEnd(): void {
  if (supervisor !== null) {
    const worker = supervisor;
    isEnding = true;
    worker.ref();
    endTimer = setTimeout(() => void worker.terminate(), SHUTDOWN_GRACE_ms + END_MARGIN_ms);
  }
  request({ kind: 'end' });
}

/** In the main thread: resolves when the supervisor has ended as it was asked to, and forgets it. */
export async function supervisorEnded(): Promise<void> {
  if (supervisor !== null) await ended;
  if (endTimer !== null) clearTimeout(endTimer);
  endTimer = null;
  failure = null;
  isEnding = false;
  waiters = 0;
  store(HEADER_BEAT, 0);
}
