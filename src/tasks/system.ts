/**
 * Booting a system, and what one can do with it: spawn tasks, find them, look at them, end them.
 */
import { isMainThread } from 'node:worker_threads';
import { load, peek, poke, store } from '#atomics';
import { loadSandboxes, type Sandboxes } from '#sandbox';
import { createTask, createThread, giveWindow } from '../kernel/tcb.ts';
import { HEADER_SHUTDOWN } from '../layout/map.ts';
import { NEVER, OK } from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import {
  TASK_ID,
  TASK_KIND,
  TASK_KIND_GUEST,
  TASK_KIND_LOCAL,
  TASK_KIND_MAIN,
  TASK_KIND_SUPERVISOR,
  TASK_KIND_WASM,
  TASK_KIND_WORKER,
  TASK_PROCESSOR,
  TASK_REPLACED,
  TASK_RESTARTS,
  TASK_SERVER,
  TASK_SPARE,
  TASK_STARTING,
  TASK_STATE,
  type TaskId,
  type TaskRecord,
  taskAt,
} from '../layout/task.ts';
import {
  HOME_POLL,
  HOME_WAIT,
  KIND_MASK,
  POLL,
  TCB_BYTES,
  TCB_ID,
  TCB_PARKS,
  TCB_SENT,
  TCB_STATE,
  tcbAt,
  tcbOf,
  type ThreadId,
  WAIT,
} from '../layout/tcb.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { setHandover } from '../platform/handover.ts';
import { handleSignals, stopHandlingSignals } from '../platform/signals.ts';
import {
  agent,
  createStandingThreads,
  detach,
  discardTask,
  holder,
  isAttached,
  isShuttingDown,
  startSystem,
} from '../user/agent.ts';
import { COMING, endOf, GONE, incarnationOf, recordOf } from '../user/incarnations.ts';
import { staysForDeadline } from '../user/clock.ts';
import { settle, stopLoop } from '../user/loop.ts';
import { cancelWait, stopThreads } from '../user/threads.ts';
import { liveTasks, nameOf, setName } from '../user/names.ts';
import {
  callAsync,
  callSync,
  dropCallTcbs,
  endCalls,
  setCallsInFlight,
  type Options,
  makeTarget,
  plainOptions,
  type Pool,
  type Target,
} from '../rpc/call.ts';
import { setContext } from '../rpc/context.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import { type Exports, METHOD_DESCRIBE } from '../rpc/serve.ts';
import { openServer } from '../rpc/server.ts';
import { shown } from '../rpc/shown.ts';
import { type Callers, completeOptions, makeStubs, REFUSED } from '../rpc/stub.ts';
import type {
  BootOptions,
  CallOptions,
  SpawnOptions,
  Stubs,
  System,
  Task,
  TaskExit,
  TaskInfo,
  TaskKind,
  TaskOptions,
  TaskState,
} from '../rpc/types.ts';
import { defaultTimeout_ms, setDefaultTimeout } from './here.ts';
import type { HostedTask, Start, Starting, TaskHost } from './host.ts';
import { checkBoot, checkChoice, checkName, checkSpawn, refuseUnknown, SPAWN_OPTIONS } from './checks.ts';
import { awaitTaskId, canJoin, join, outlives } from './guest.ts';
import { endLocals, localCallers, localHost } from './local.ts';
import { findModule, nameFrom } from './module.ts';
import { names } from './names.ts';
import { FoundPool } from './found-pool.ts';
import { poolCallers } from './pool-choice.ts';
import { startPool } from './pool.ts';
import { isWasm, place } from './wasm/apart.ts';
import { wasmCallers, wasmHost } from './wasm/host.ts';
import { endWasmTasks } from './wasm/life.ts';
import { checkHouse, isLiveGuest, openHouse, request, setLog, supervisorEnded } from './supervisor.ts';
import { endWorkers, launchOf, someLoopLives, workerHost } from './worker.ts';
import { setImmediate, setTimeout } from '../platform/timers.ts';

const HOSTS: ReadonlyMap<string, TaskHost> = new Map([
  ['worker', workerHost],
  ['local', localHost],
  ['wasm', wasmHost],
]);
/** How often the process looks whether a worker's loop still has work, when nothing else keeps it alive. */
const LOOP_PERIOD_ms = 50;
const CALL_OPTIONS = ['timeout', 'signal', 'borrow', 'into', 'batch'];

let system: KernelSystem | null = null;
/** Loaded by the first of them. */
let sandboxes: Sandboxes | null = null;

const inherited = (): Options => plainOptions(defaultTimeout_ms);

/** A task as its users hold it. */
class TaskHandle implements Task {
  readonly sync: Stubs['sync'];
  readonly async: Stubs['async'];
  private readonly hosted: HostedTask;
  private readonly options: Options;

  constructor(hosted: HostedTask, options: Options) {
    this.hosted = hosted;
    this.options = options;
    const stubs = hosted.stubs(options);
    this.sync = stubs.sync;
    this.async = stubs.async;
  }

  get id(): ThreadId {
    return presentId(this.hosted.target);
  }

  get name(): string {
    return this.hosted.target.name;
  }

  get kind(): TaskKind {
    return this.hosted.kind;
  }

  get alive(): boolean {
    return this.hosted.isAlive();
  }

  get memory(): Uint8Array | undefined {
    return this.hosted.memory;
  }

  get exited(): Task['exited'] {
    return this.hosted.exited;
  }

  with(options: CallOptions): Stubs {
    refuseUnknown('with()', options, CALL_OPTIONS);
    return this.hosted.stubs(completeOptions(options, this.options));
  }

  kill(): Promise<void> {
    return this.hosted.kill();
  }
}

/** The server thread of the present incarnation; of the last one known, when there is none. */
function presentId(target: Target): ThreadId {
  const present = incarnationOf(target.origin);
  if (present !== COMING && present !== GONE) return peek(present + TASK_SERVER) as ThreadId;
  const last = recordOf(target.taskId);
  return target.id === 0 && peek(last + TASK_ID) === target.taskId ? (peek(last + TASK_SERVER) as ThreadId) : target.id;
}

/** `L3_KIND=local`: every worker is a local task instead, so that a debugger, or a stack, has all in one thread. */
const isForced = process.env['L3_KIND'] === 'local';
/** Marks the options of the drop-ins' own tasks, which are made of waiting for another thread. */
const OWN = Symbol.for('l3kernel.own');
/** What a task is called that has no name of its own: in the options of one within a worker, the worker's. */
export const LABEL = Symbol('label');

/** Kind of a task. A wasm module whose thread is a worker is of that kind. */
function kindOf(module: URL, options: SpawnOptions & { readonly [OWN]?: boolean }): TaskKind {
  const isGuest = options.engine !== undefined || isWasm(module);
  const stated = options.kind ?? (isGuest ? 'wasm' : 'worker');
  const kind = stated === 'wasm' && options.thread === 'worker' ? 'worker' : stated;
  return kind === 'worker' && isForced && options[OWN] !== true ? (isGuest ? 'wasm' : 'local') : kind;
}

/** What a task is started for. */
interface Hosting {
  /** Whether its timers and sockets keep the process alive. */
  readonly holds: boolean;
  readonly pool: Pool | null;
  /** What distinguishes its name from those of the others of its pool. */
  readonly label: string;
  /** The id of its pool, which that of the first instance becomes; null for a task that is in none. */
  readonly poolId: { value: number } | null;
}

interface Prepared {
  readonly host: TaskHost;
  readonly start: Start;
}

const alone = (holds: boolean): Hosting => ({ holds, pool: null, label: '', poolId: null });

/** Makes the records of a new task. Throws ERR_IPC_LIMIT or, for a taken name, ERR_IPC_SPAWN_FAILED. */
function prepare(url: URL | string, options: SpawnOptions, { holds, pool, label, poolId }: Hosting): Prepared {
  if (!isAttached() || isShuttingDown()) throw new IpcError('ERR_IPC_SHUTDOWN', 'the system is shutting down');
  completeOptions({ timeout: options.timeout }, inherited());
  const module = findModule(url);
  const isSandbox = options.engine !== undefined;
  const kind = kindOf(module, options);
  const host = isSandbox && kind === 'wasm' ? (sandboxes ??= loadSandboxes()).scriptHost : HOSTS.get(kind);
  if (host === undefined) {
    throw new IpcError(
      'ERR_IPC_SPAWN_FAILED',
      `there is no task kind ${shown(kind)}; the kinds are ${[...HOSTS.keys()].join(', ')}`,
    );
  }
  if (kind !== 'worker' && !isSandbox && options.onTimeout === 'kill' && !isForced) {
    throw new TypeError(
      `onTimeout: 'kill' needs a task of kind 'worker'; nothing can end a '${kind}' task in a handler`,
    );
  }
  const placed = place(module, kind, options);
  if (pool !== null && kind !== 'worker') {
    throw new TypeError(`instances: a task of kind '${kind}' lives in this thread; only workers can be several`);
  }
  const within = (options as { readonly [LABEL]?: string })[LABEL];
  const name = (options.name ?? within ?? nameFrom(module)) + label;
  const { taskId, server } =
    kind === 'worker' ? makeWorkerTask() : makeHomeTask(kind === 'wasm' ? TASK_KIND_WASM : TASK_KIND_LOCAL);
  const task = taskAt(taskId & INDEX_MASK);
  if (poolId?.value === 0) poolId.value = taskId;
  if (options.name === undefined) setName(task, name);
  else if (!registered(task, name, poolId?.value ?? 0)) {
    throw new IpcError('ERR_IPC_SPAWN_FAILED', `the name '${name}' is taken by another task`, {
      phase: 'spawn',
      task: name,
    });
  }
  const inPlace = (other: URL, given: SpawnOptions): TaskHandle => startSync(other, given);
  const discard = (): void => discardTask(task);
  return { host, start: { ...placed, taskId, server, name, pool, holds, spawn: inPlace, discard } };
}

/** Registers the name of a task; the records of one that cannot have it are given back. */
function registered(task: TaskRecord, name: string, poolId: number): boolean {
  let isFree = false;
  try {
    isFree = names.register(task, name, holder(), poolId);
  } finally {
    if (!isFree) discardTask(task);
  }
  return isFree;
}

/** A task that did not start leaves its name to the next at once, not at its exit. */
function forget({ taskId }: Start): void {
  const task = taskAt(taskId & INDEX_MASK);
  if (peek(task + TASK_ID) === taskId) names.release(task);
}

const noRoom = (what: string): IpcError =>
  new IpcError('ERR_IPC_LIMIT', `the system has all the ${what} it may have; boot({ limits }) sets how many`);

function makeWorkerTask(): { taskId: TaskId; server: ThreadId } {
  const taskId = createTask(agent.taskId, TASK_KIND_WORKER, 0);
  if (taskId === 0) throw noRoom('tasks');
  const task = taskAt(taskId & INDEX_MASK);
  if (createStandingThreads(taskId) !== OK) {
    discardTask(task);
    throw noRoom('threads, or window memory,');
  }
  return { taskId, server: peek(task + TASK_SERVER) as ThreadId };
}

/** A task in this agent. */
function makeHomeTask(kind: number): { taskId: TaskId; server: ThreadId } {
  const taskId = createTask(agent.taskId, kind, agent.processor);
  if (taskId === 0) throw noRoom('tasks');
  const task = taskAt(taskId & INDEX_MASK);
  const server = createThread(task, agent.processor, true);
  if (server === 0 || !giveWindow(tcbOf(server), false)) {
    discardTask(task);
    throw noRoom('threads, or window memory,');
  }
  poke(task + TASK_SERVER, server);
  return { taskId, server };
}

const handle = (hosted: HostedTask, options: SpawnOptions): TaskHandle =>
  new TaskHandle(hosted, completeOptions({ timeout: options.timeout }, inherited()));

function startSync(url: URL | string, options: SpawnOptions, holds = true): TaskHandle {
  checkSpawn(options);
  if (isPool(url, options)) return handle(poolOf(url, options, holds).wait(), options);
  const { host, start } = prepare(url, options, alone(holds));
  return named(start, () => handle(host.startSync(start), options));
}

/** A task on its way: to be awaited, or to be waited for in place. */
interface Begun {
  readonly handle: Promise<TaskHandle>;
  wait(): TaskHandle;
  cancel(): void;
}

function begin(url: URL | string, options: SpawnOptions, holds = true): Begun {
  checkSpawn(options);
  const starting = isPool(url, options) ? poolOf(url, options, holds) : beginOne(url, options, alone(holds));
  let made: TaskHandle | null = null;
  const make = (hosted: HostedTask): TaskHandle => (made ??= handle(hosted, options));
  const cancel = (): void => starting.cancel?.();
  return { handle: starting.hosted.then(make), wait: () => made ?? make(starting.wait()), cancel };
}

function beginOne(url: URL | string, options: SpawnOptions, hosting: Hosting): Starting {
  const { host, start } = prepare(url, options, hosting);
  const starting = named(start, () => host.start(start));
  const hosted = starting.hosted.catch((error: unknown) => {
    forget(start);
    throw error;
  });
  return { hosted, wait: () => named(start, () => starting.wait()), cancel: () => starting.cancel?.() };
}

/** With `L3_KIND=local` a pool is one local task: several in one thread would be no quicker. */
const isPool = (url: URL | string, options: SpawnOptions): boolean =>
  options.instances !== undefined && !(isForced && kindOf(findModule(url), options) === 'local');

/** A pool: the first of its instances has its name, the others that name with a number. */
function poolOf(url: URL | string, options: SpawnOptions, holds: boolean): Starting {
  const name = options.name ?? nameFrom(findModule(url));
  const poolId = { value: 0 };
  return startPool(name, options, (pool, number) =>
    beginOne(url, options, { holds, pool, label: number === 1 ? '' : `#${number}`, poolId }),
  );
}

/** Runs what starts a task, and takes the name back when it throws. */
function named<T>(start: Start, run: () => T): T {
  try {
    return run();
  } catch (error) {
    forget(start);
    throw error;
  }
}

/** The system as this agent sees it. */
class KernelSystem implements System {
  private ending: Promise<void> | null = null;

  readonly spawn = async (url: URL | string, options: SpawnOptions = {}): Promise<TaskHandle> => {
    this.checkOpen();
    return begin(url, options).handle;
  };

  readonly spawnSync = (url: URL | string, options: SpawnOptions = {}): TaskHandle => {
    this.checkOpen();
    return startSync(url, options);
  };

  private checkOpen(): void {
    if (this.ending !== null) throw new IpcError('ERR_IPC_SHUTDOWN', 'the system is shut down');
  }

  tasks(): TaskInfo[] {
    return liveTasks().filter(isPresent).map(describeTask);
  }

  cancel(threadId: ThreadId): boolean {
    if (typeof threadId !== 'number') throw new TypeError(`cancel() takes a thread id, not ${shown(threadId)}`);
    return cancelWait(threadId);
  }

  shutdown(): Promise<void> {
    this.ending ??= endSystem();
    return this.ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }
}

async function endSystem(): Promise<void> {
  const isMain = peek(agent.task + TASK_KIND) === TASK_KIND_MAIN;
  if (isMain) store(HEADER_SHUTDOWN, 1);
  await endWorkers();
  if (isMain) await supervisorEnded();
  // What the repair answered is still in the tcbs of this agent's callers; those that waited for a tcb follow.
  settle();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('beforeExit', stayForLoops);
  // A task, or a guest, stays in the system of its process: it may boot again, and spawn other tasks.
  system = null;
  if (!isMain) return;
  stopHandlingSignals();
  stopLoop();
  stopThreads();
  endLocals();
  endWasmTasks();
  sandboxes?.endScripts();
  endCalls();
  for (const task of liveTasks()) if (task !== agent.task && !isLiveGuest(task)) discardTask(task);
  discardTask(agent.task);
  dropCallTcbs();
  setDefaultTimeout(NEVER);
  setContext(null);
  detach();
  store(HEADER_SHUTDOWN, 0);
}

/** Whether a record is that of a task's present incarnation, not of a spare or of one that is being replaced. */
const isPresent = (task: TaskRecord): boolean =>
  load(task + TASK_STATE) !== TASK_SPARE && load(task + TASK_STATE) !== TASK_REPLACED;

const STATES: Record<number, TaskState> = {
  [WAIT]: 'waiting',
  [HOME_WAIT]: 'waiting',
  [POLL]: 'polling',
  [HOME_POLL]: 'polling',
};
const KINDS: Record<number, TaskInfo['kind']> = {
  [TASK_KIND_WORKER]: 'worker',
  [TASK_KIND_LOCAL]: 'local',
  [TASK_KIND_WASM]: 'wasm',
  [TASK_KIND_GUEST]: 'worker',
  [TASK_KIND_MAIN]: 'main',
  [TASK_KIND_SUPERVISOR]: 'supervisor',
};

function describeTask(task: TaskRecord): TaskInfo {
  const server = tcbOf(peek(task + TASK_SERVER));
  const state = load(server + TCB_STATE);
  const partner = state & INDEX_MASK;
  const isOpen = partner === ANY_INDEX;
  const known = STATES[state & KIND_MASK];
  return {
    id: peek(server + TCB_ID) as ThreadId,
    name: nameOf(task),
    kind: KINDS[peek(task + TASK_KIND)]!,
    state:
      load(task + TASK_STATE) === TASK_STARTING
        ? 'starting'
        : known === undefined
          ? 'running'
          : isOpen
            ? 'receiving'
            : known,
    partner: known === undefined || isOpen ? undefined : (peek(tcbAt(partner) + TCB_ID) as ThreadId),
    counts: {
      sent: peek(server + TCB_SENT),
      bytes: peek(server + TCB_BYTES),
      parks: peek(server + TCB_PARKS),
      restarts: peek(task + TASK_RESTARTS),
    },
  };
}

/** A loop that has just been called is mostly found empty a moment later. */
let stay_ms = 1;

/**
 * A worker with timers or sockets of its own keeps the process alive, as they would in this thread; so does a generator
 * thread that waits with a deadline.
 */
function stayForLoops(): void {
  if (staysForDeadline() || !someLoopLives()) return;
  setTimeout(() => {}, stay_ms);
  stay_ms = Math.min(2 * stay_ms, LOOP_PERIOD_ms);
}

/** Starts a kernel, or gives the one this agent belongs to. */
export function bootSync(options: BootOptions = {}): System {
  checkBoot(options);
  const { timeout_ms } = completeOptions({ timeout: options.timeout }, plainOptions(NEVER));
  if (options.context !== undefined) setContext(options.context);
  if (system !== null) return system;
  if (!isAttached() && canJoin()) {
    join();
    openServer();
  } else if (!isAttached()) {
    if (outlives()) {
      throw new IpcError('ERR_IPC_SHUTDOWN', 'the system of this process, which the thread was started in, has ended');
    }
    startSystem({ threads: options.limits?.threads, tasks: options.limits?.tasks });
    setHandover(options.handover === true, agent.processor, (why) => process.emitWarning(why));
    setName(agent.task, 'main');
    openServer();
  }
  if (options.limits?.calls !== undefined) setCallsInFlight(options.limits.calls);
  setLog(options.log);
  if (options.timeout !== undefined) setDefaultTimeout(timeout_ms);
  process.on('beforeExit', stayForLoops);
  const booted = new KernelSystem();
  handleSignals(() => booted.shutdown());
  system = booted;
  return booted;
}

/** As `bootSync`; what is wrong with the options rejects. */
export const boot = async (options: BootOptions = {}): Promise<System> => bootSync(options);

/** A task started by the first use of a stub, in the system of this process. */
class LazyTask implements Task {
  private readonly url: URL | string;
  private readonly options: TaskOptions;
  private started: Task | null = null;
  private starting: Begun | null = null;

  constructor(url: URL | string, options: TaskOptions) {
    this.url = url;
    this.options = options;
  }

  /** The task, started in place if it has not been, or waited for if it is on its way. */
  private task(): Task {
    if (this.started === null) {
      bootSync();
      this.started ??= this.startShared() ?? this.starting?.wait() ?? startSync(this.url, this.options, false);
    }
    return this.started;
  }

  private startShared(): Task | null {
    return this.options.shared === undefined ? null : startShared(this.url, this.options);
  }

  private async taskLater(): Promise<Task> {
    if (this.started !== null) return this.started;
    bootSync();
    if (this.options.shared !== undefined) return (this.started = await startSharedLater(this.url, this.options));
    this.starting ??= begin(this.url, this.options, false);
    this.started = await this.starting.handle;
    return this.started;
  }

  get sync(): Stubs['sync'] {
    return this.started?.sync ?? lazyStub((name, args) => invoke(this.task().sync, name, args));
  }

  get async(): Stubs['async'] {
    return (
      this.started?.async ??
      lazyStub((name, args) =>
        promiseOrStream(
          this.taskLater().then((task) => invoke(task.async, name, args)),
          name,
        ),
      )
    );
  }

  with(options: CallOptions): Stubs {
    if (this.started !== null) return this.started.with(options);
    refuseUnknown('with()', options, CALL_OPTIONS);
    completeOptions(options, inherited());
    let stubs: Stubs | null = null;
    return {
      sync: lazyStub((name, args) => invoke((stubs ??= this.task().with(options)).sync, name, args)),
      async: lazyStub((name, args) => {
        const call = async (): Promise<unknown> => {
          stubs ??= (await this.taskLater()).with(options);
          return invoke(stubs.async, name, args);
        };
        return promiseOrStream(call(), name);
      }),
    };
  }

  get id(): ThreadId {
    return this.task().id;
  }

  get name(): string {
    return this.started?.name ?? this.options.shared ?? this.options.name ?? nameFrom(findModule(this.url));
  }

  get kind(): Task['kind'] {
    return kindOf(findModule(this.url), this.options);
  }

  get alive(): boolean {
    return this.started?.alive ?? true;
  }

  get memory(): Uint8Array | undefined {
    return this.task().memory;
  }

  get exited(): Task['exited'] {
    return this.taskLater().then((task) => task.exited);
  }

  async kill(): Promise<void> {
    // At once, if it can be: a program that only makes `.sync` calls does not come to what it awaits.
    if (this.started !== null) return this.started.kill();
    if (this.starting === null) return undefined;
    // It may never be ready.
    this.starting.cancel();
    return this.starting.handle.then(
      (handle) => handle.kill(),
      () => {},
    );
  }
}

const invoke = (stub: unknown, name: string, args: unknown[]): unknown =>
  (stub as Record<string, (...args: unknown[]) => unknown>)[name]!(...args);

/**
 * Until a task is there nobody knows which of its exports are generator functions: a call of one is the promise of its
 * result, and the stream that it may turn out to be.
 */
function promiseOrStream(result: Promise<unknown>, name: string): Promise<unknown> {
  const step =
    (method: 'next' | 'return' | 'throw') =>
    async (...given: unknown[]): Promise<unknown> => {
      const stream = (await result) as
        | Record<string, ((...given: unknown[]) => unknown) | undefined>
        | null
        | undefined;
      if (typeof stream?.[method] !== 'function') throw new TypeError(`${name}() gives a value, and no stream`);
      return stream[method](...given);
    };
  const methods = {
    next: step('next'),
    return: step('return'),
    throw: step('throw'),
    [Symbol.asyncIterator]: () => result,
  };
  for (const key of Reflect.ownKeys(methods)) {
    void Object.defineProperty(result, key, { value: methods[key as 'next'], writable: true, configurable: true });
  }
  return result;
}

/** Stands for a stub whose task has not been started: any name may be one of its functions until it is known. */
function lazyStub(call: (name: string, args: unknown[]) => unknown): Record<string, never> {
  return new Proxy(Object.create(null) as Record<string, never>, {
    get: (_, name) =>
      typeof name === 'symbol' || REFUSED.has(name) || name === 'toJSON'
        ? undefined
        : (...args: unknown[]) => call(name, args),
  });
}

/** A shared task is no child of the agent that first asks for it, so nothing of that agent's can be granted to it. */
const NOT_SHARED = ['name', 'host', 'imports', 'instances', 'memory', 'wasi'];

export function task(url: URL | string, options: TaskOptions = {}): Task {
  refuseUnknown('task()', options, ['shared', ...SPAWN_OPTIONS]);
  const { shared } = options;
  if (shared === undefined) return new LazyTask(url, options);
  checkName('shared', shared);
  const odd = NOT_SHARED.find((name) => Object.hasOwn(options, name));
  if (odd !== undefined) throw new TypeError(`task(): '${odd}' has no meaning for a shared task`);
  checkChoice('kind', options.kind, ['worker']);
  // Now, so that the workers which are started from here on find the system.
  if (isMainThread && !isForced && !(isAttached() && isShuttingDown())) {
    bootSync();
    openHouse();
  }
  const { shared: _, ...own } = options;
  checkSpawn(own);
  return new LazyTask(url, { restart: 'on-failure', ...options });
}

/** Has the supervisor start a shared task, if there is none of its name. It may be on its way then. */
function requestShared(url: URL | string, { shared, ...options }: TaskOptions): void {
  const name = shared!;
  if (isForced) {
    if (names.find(name) === null) startSync(url, { ...options, name }, false);
    return;
  }
  if (!isAttached() || isShuttingDown()) throw new IpcError('ERR_IPC_SHUTDOWN', 'the system is shutting down');
  openHouse();
  checkHouse(name);
  const start = { url: findModule(url), name, options, holds: false };
  const cell = new Int32Array(new SharedArrayBuffer(4));
  request({ kind: 'share', launch: launchOf(start, { taskId: 0, spawner: 0, hostNames: [], port: null }), cell });
  awaitTaskId(cell, `task '${name}'`);
}

function startShared(url: URL | string, options: TaskOptions): Task {
  requestShared(url, options);
  try {
    return lookUp(options.shared!, options);
  } catch (error) {
    throw sharedFailed(options.shared!, error);
  }
}

async function startSharedLater(url: URL | string, options: TaskOptions): Promise<Task> {
  requestShared(url, options);
  const found = find(options.shared!);
  const ask = found.callers?.async ?? callAsync;
  try {
    const exported = await ask(found.target, METHOD_DESCRIBE, 'exports', inherited(), []);
    return holdFound(found, exported as Exports, options);
  } catch (error) {
    throw sharedFailed(options.shared!, error);
  }
}

/** The first call of a task that did not start finds it gone. */
function sharedFailed(name: string, error: unknown): unknown {
  const isGone = error instanceof IpcError && /_(PEER_GONE|NO_SUCH_THREAD)$/.test(error.code);
  if (!isGone) return error;
  const text = `task '${name}' did not start: ${error.message}`;
  return new IpcError('ERR_IPC_SPAWN_FAILED', text, { phase: 'spawn', task: name, cause: error });
}

/** The end of a task that another task started: nobody tells us, so its records are looked at. */
async function exitOf({ isAlive, target }: Found): Promise<TaskExit> {
  while (isAlive()) await new Promise((resolve) => setTimeout(resolve, LOOP_PERIOD_ms));
  return endOf(ofTask(target).origin) ?? { code: 1, reason: 'ended' };
}

/** The task that a target stands for; of a pool's, one of its instances. */
const ofTask = (target: Target): Target => (target.pool?.target === target ? target.pool.last() : target);

const callersHere = (kind: TaskKind, taskId: number): Callers =>
  kind === 'local' ? localCallers : sandboxes?.isScript(taskId) === true ? sandboxes.scriptCallers : wasmCallers;

/** A task that somebody else holds. */
interface Found {
  readonly taskId: TaskId;
  readonly kind: TaskKind;
  readonly target: Target;
  /** How it is called, if it lives in this agent, or is a pool. */
  readonly callers: Callers | undefined;
  readonly isAlive: () => boolean;
}

function find(name: string): Found {
  const record = names.find(name);
  if (record === null)
    throw new IpcError('ERR_IPC_NO_SUCH_THREAD', `no task is registered as ${shown(name)}`, { task: name });
  const taskId = peek(record + TASK_ID) as TaskId;
  const kind = KINDS[peek(record + TASK_KIND)] as TaskKind;
  const poolId = names.poolNamed(name, record);
  if (poolId !== 0) {
    const pool = new FoundPool(name, poolId, taskId);
    return { taskId, kind, target: pool.target, callers: poolCallers, isAlive: () => pool.isAlive() };
  }
  const target = makeTarget(peek(record + TASK_SERVER) as ThreadId, taskId, name);
  const isHere = kind !== 'worker' && peek(record + TASK_PROCESSOR) === peek(agent.task + TASK_PROCESSOR);
  const callers = isHere ? callersHere(kind, taskId) : undefined;
  return { taskId, kind, target, callers, isAlive: () => incarnationOf(target.origin) !== GONE };
}

function holdFound(found: Found, exported: Exports, options: SpawnOptions): TaskHandle {
  const { taskId, kind, target, callers, isAlive } = found;
  const { name, pool } = target;
  if (pool instanceof FoundPool) pool.admit(exported.concurrency);
  return new TaskHandle(
    {
      taskId,
      kind,
      get target() {
        return ofTask(target);
      },
      exports: exported,
      get exited() {
        return exitOf(found);
      },
      isAlive,
      kill: () => Promise.reject(new IpcError('ERR_IPC_DENIED', `only the task that spawned '${name}' may end it`)),
      stubs: (stubOptions) => makeStubs(target, exported, stubOptions, callers),
    },
    completeOptions({ timeout: options.timeout }, inherited()),
  );
}

/** The task registered under a name, as one may call it from here. */
function lookUp(name: string, options: SpawnOptions = {}): TaskHandle {
  const found = find(name);
  const ask = found.callers?.sync ?? callSync;
  return holdFound(found, ask(found.target, METHOD_DESCRIBE, 'exports', inherited(), []) as Exports, options);
}

export function lookup(name: string): Task {
  if (typeof name !== 'string') throw new TypeError(`lookup() takes the name of a task, not ${shown(name)}`);
  if (!isAttached() && canJoin()) bootSync();
  if (!isAttached()) throw new IpcError('ERR_IPC_NO_SUCH_THREAD', 'this thread belongs to no system; boot() one first');
  return lookUp(name);
}
