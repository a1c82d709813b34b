/**
 * Tasks in the agent that spawns them: nothing is protected, everything behaves as in the other kinds, and a call is
 * nearly free. A passive thread serves the task on its caller's stack. Values are copied as everywhere, so that a
 * program that works with local tasks works with workers.
 *
 * A `.sync` call of an asynchronous handler could never be answered, for the caller blocks the very loop that would
 * settle its promise: it is refused.
 */
import { fileURLToPath } from 'node:url';
import { peek, registers } from '#atomics';
import { now_ms } from '#wait';
import { callPassive, endBody, startPassive } from '../kernel/dispatch.ts';
import { incoming, outgoing } from '../kernel/transfer.ts';
import {
  CALL,
  DEADLOCK,
  ERROR,
  NEVER,
  OK,
  R_SENDER,
  R_STRING,
  R_TAG,
  R_WORD,
  RECEIVE_TIMEOUT,
  REPLY,
  type Result,
  SEND_TIMEOUT,
  TAG_KIND,
  TAG_METHOD_SHIFT,
  TAG_STRINGS,
} from '../layout/message.ts';
import { INDEX_MASK, UPCALL_DEPTH_MAX } from '../layout/params.ts';
import { TASK_ALIVE, TASK_SERVER, TASK_STATE, taskAt } from '../layout/task.ts';
import { type Tcb, TCB_ID, TCB_PROCESSOR, tcbOf, type ThreadId } from '../layout/tcb.ts';
import { store } from '../platform/atomics.ts';
import { importAt, requireFrom } from '../platform/load.ts';
import { agent, discardTask } from '../user/agent.ts';
import { joinStacks } from '../rpc/errors-codec.ts';
import { dropIterators, exportsOf } from '../rpc/generators.ts';
import { type Entry, Fifo, NOWHERE } from '../rpc/fifo.ts';
import { abortedError, type Calling, failure, putThrown, sendError, takeThrown } from '../rpc/failure.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import { functionsPut, putArguments, putResult, takeResult } from '../rpc/payload.ts';
import {
  type AnyFunction,
  type Callbacks,
  type LocalRequest,
  removeLocalExports,
  serve,
  serveLocally,
  setLocalExports,
} from '../rpc/serve.ts';
import { type Caller, makeStubs } from '../rpc/stub.ts';
import { makeTarget, type Options, type Target } from '../rpc/call.ts';
import { callTrace } from '../rpc/trace.ts';
import type { TaskExit } from '../rpc/types.ts';
import { asTask, setLocalHost } from './here.ts';
import type { HostedTask, Start, Starting, TaskHost } from './host.ts';
import { clearTimeout, setTimeout } from '../platform/timers.ts';

// A constant of this file, not an import: V8 folds what it can see never to change.
const trace = callTrace;

/** The promise that the handler of the call under way has given, when it is asynchronous. */
let given: PromiseLike<unknown> | null = null;
/** The call under way, made where its caller can say when it gives up. */
let request: LocalRequest = { open: false, controller: null, caller: 0 as Tcb };
/** What serves the thread of a local task, and what ends it. */
const handlers = new Map<ThreadId, () => number>();
const endings = new Set<() => void>();
/** Local calls on this stack. */
let depth = 0;

/** Asynchronous calls of one local task. */
interface LocalCalls {
  readonly limit: number;
  underWay: number;
  /** Those that wait for one of the others to end, first come first served. */
  readonly queue: Fifo<Entry & { readonly begin: () => void }>;
  /** Rejects the calls under way and those that wait. */
  readonly pending: Set<(error: unknown) => void>;
}

const callsOf = new Map<number, LocalCalls>();

const callingOf = (target: Target, method: string, timeout_ms: number, began_ms: number): Calling => ({
  task: target.name,
  taskId: target.taskId,
  method,
  timeout_ms,
  began_ms,
});

/** Calls the passive thread of a local task; the answer's tag is in the registers afterwards. */
function callHere(target: Target, method: number, calling: Calling, args: readonly unknown[]): void {
  let tag: number;
  try {
    tag = CALL | (method << TAG_METHOD_SHIFT) | putArguments(args, target.taskId);
  } catch (error) {
    throw sendError(error, calling);
  }
  sendHere(target, tag, calling);
}

function sendHere(target: Target, tag: number, calling: Calling): void {
  // The stream of the arguments is read where it was written: nothing else is encoded before it is decoded.
  if ((tag & TAG_STRINGS) !== 0) incoming[0] = outgoing[0]!;
  given = null;
  const self = agent.current;
  if (depth >= UPCALL_DEPTH_MAX) {
    const text = `${calling.task}.${calling.method}(): local calls are nested more than ${depth} deep`;
    throw new IpcError('ERR_IPC_LIMIT', text, { task: calling.task, method: calling.method });
  }
  request = { open: true, controller: null, caller: self };
  depth++;
  let code = callPassive(self, target.id, tag);
  if (code === DEADLOCK && handlers.has(target.id)) code = reenter(self, target.id, tag);
  depth--;
  if (code !== OK) throw failure(code, calling);
}

/**
 * Calls a task that is being called already, further down on this stack: its callback, or one that it calls, calls it
 * back. Functions of a module bear that, as they do in a worker.
 */
function reenter(self: Tcb, to: ThreadId, tag: number): Result {
  registers[R_SENDER] = peek(self + TCB_ID);
  registers[R_TAG] = tag;
  registers[R_TAG] = handlers.get(to)!();
  registers[R_SENDER] = to;
  return OK;
}

/** The answer in the registers. */
function takeAnswer(calling: Calling): unknown {
  const self = agent.current;
  const tag = registers[R_TAG]!;
  if ((tag & TAG_STRINGS) !== 0) incoming[0] = outgoing[0]!;
  if ((tag & TAG_KIND) !== ERROR) return takeResult(self, tag);
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, takeAnswer);
  throw joinStacks(takeThrown(self, tag), `${calling.task}.${calling.method}`, here.stack ?? '');
}

const callSync: Caller = (target, method, name, options, args) => {
  if (trace.isWanted()) return trace.sync(callSync, target, method, name, options, args);
  checkSignal(target, name, options);
  const calling = callingOf(target, name, NEVER, NEVER);
  callHere(target, method, calling, args);
  if (given === null) return takeAnswer(calling);
  const promise = given;
  const ended = request;
  given = null;
  ended.open = false;
  Promise.resolve(promise).catch(() => {});
  throw new IpcError(
    'ERR_IPC_DEADLOCK',
    `${target.name}.${name}(): the handler gave a promise, which a .sync caller in the same thread keeps from settling; use .async`,
    { task: target.name, method: name },
  );
};

const callAsync: Caller = async (target, method, name, options, args) => {
  if (trace.isWanted()) return trace.async(callAsync, target, method, name, options, args);
  checkSignal(target, name, options);
  const calling = callingOf(target, name, options.timeout_ms, now_ms());
  const calls = callsOf.get(target.taskId);
  if (calls === undefined || calls.underWay < calls.limit) {
    callHere(target, method, calling, args);
  } else {
    const sendLater = keepArguments(target, method, calling, args);
    if (options.timeout_ms === 0) throw failure(SEND_TIMEOUT, calling);
    await within(calls, calling, options, SEND_TIMEOUT, (begin) => {
      const entry = { place: NOWHERE, begin };
      calls.queue.add(entry);
      return () => calls.queue.delete(entry);
    });
    sendLater();
  }
  if (given === null) return takeAnswer(calling);
  return await answerLater(calls!, calling, options);
};

/** Puts arguments aside as a message: they are copied when the call is made, not when it is begun. */
function keepArguments(target: Target, method: number, calling: Calling, args: readonly unknown[]): () => void {
  let tag: number;
  try {
    tag = CALL | (method << TAG_METHOD_SHIFT) | putArguments(args, target.taskId);
  } catch (error) {
    throw sendError(error, calling);
  }
  const words = registers.slice(R_WORD, R_STRING);
  const bytes = (tag & TAG_STRINGS) === 0 ? null : outgoing[0]!.slice(0, registers[R_STRING]);
  const functions = functionsPut;
  return () => {
    registers.set(words, R_WORD);
    if (bytes !== null) {
      outgoing[0] = bytes;
      registers[R_STRING] = bytes.length;
    }
    callbacksHere = functions;
    sendHere(target, tag, calling);
  };
}

/** The functions of a message that was put aside; undefined: those of the message last put. */
let callbacksHere: Callbacks | undefined;

/** Waits for the promise that the handler has given, and gives the answer. */
async function answerLater(calls: LocalCalls, calling: Calling, options: Options): Promise<unknown> {
  const promise = given!;
  const ours = request;
  given = null;
  calls.underWay++;
  const over = (): void => {
    ours.open = false;
    calls.underWay--;
    const next = calls.queue.first();
    if (next !== undefined && calls.underWay < calls.limit) {
      calls.queue.delete(next);
      next.begin();
    }
  };
  const settled = Promise.resolve(promise).finally(over);
  try {
    const value = await within(calls, calling, options, RECEIVE_TIMEOUT, (end, fail) => {
      settled.then(end, (error: unknown) => fail({ thrown: error }));
      return () => {};
    });
    registers[R_TAG] = REPLY | putResult(value, agent.taskId);
  } catch (error) {
    if (error instanceof GivenUp) {
      ours.controller?.abort(new IpcError('ERR_IPC_ABORTED', 'the caller no longer waits for the answer'));
      throw error.why;
    }
    const thrown = (error as { thrown?: unknown } | null) ?? {};
    registers[R_TAG] = putThrown(Object.hasOwn(thrown, 'thrown') ? thrown.thrown : error, agent.taskId);
  }
  // At once: the answer to another call may be put into the registers in the next microtask.
  return takeAnswer(calling);
}

/** Why a caller no longer waits. */
class GivenUp {
  readonly why: unknown;
  constructor(why: unknown) {
    this.why = why;
  }
}

/**
 * Waits for what `begin` starts, within the timeout and the signal of a call, and while the task lives. `begin` gives
 * what takes it back.
 */
function within<T>(
  calls: LocalCalls,
  calling: Calling,
  { signal }: Options,
  late: Result,
  begin: (end: (value?: T) => void, fail: (error: unknown) => void) => () => void,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | null = null;
    const finish = (): void => {
      if (timer !== null) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      calls.pending.delete(giveUp);
    };
    const fail = (error: unknown): void => {
      finish();
      reject(error as Error);
    };
    const undo = begin((value) => {
      finish();
      resolve(value);
    }, fail);
    const giveUp = (why: unknown): void => {
      undo();
      fail(late === RECEIVE_TIMEOUT ? new GivenUp(why) : why);
    };
    const onAbort = (): void => giveUp(abortedError(calling, signal!));
    signal?.addEventListener('abort', onAbort, { once: true });
    calls.pending.add(giveUp);
    const { timeout_ms, began_ms } = calling;
    if (timeout_ms <= 0) return;
    timer = setTimeout(() => giveUp(failure(late, calling)), Math.max(0, began_ms + timeout_ms - now_ms()));
  });
}

function checkSignal(target: Target, name: string, { signal }: Options): void {
  if (signal !== undefined && signal.aborted) throw abortedError(callingOf(target, name, NEVER, NEVER), signal);
}

export const localCallers = { sync: callSync, async: callAsync };

function finishStart({ taskId, server, name, options }: Start, exports: Record<string, unknown>): HostedTask {
  const table = exportsOf(exports);
  const task = taskAt(taskId & INDEX_MASK);
  const tcb = tcbOf(server);
  setLocalExports(taskId, table);
  const { host = null } = options;
  if (host !== null) setLocalHost(taskId, host as Record<string, AnyFunction>);
  callsOf.set(taskId, {
    limit: options.concurrency ?? Number.POSITIVE_INFINITY,
    underWay: 0,
    queue: new Fifo(),
    pending: new Set(),
  });
  const handler = (): number => {
    const isOurs = peek(tcbOf(registers[R_SENDER]!) + TCB_PROCESSOR) === peek(tcb + TCB_PROCESSOR);
    if (!isOurs) return serve(tcb, null, false);
    const callbacks = callbacksHere === undefined ? functionsPut : callbacksHere;
    callbacksHere = undefined;
    const outcome =
      host === null
        ? serveLocally(tcb, callbacks, request)
        : asTask(taskId, () => serveLocally(tcb, callbacks, request));
    if (typeof outcome === 'number') return outcome;
    given = outcome;
    return REPLY;
  };
  handlers.set(server, handler);
  startPassive(tcb, handler);
  store(task + TASK_STATE, TASK_ALIVE);
  const target = makeTarget(server, taskId, name);
  let alive = true;
  let exit: (exit: TaskExit) => void;
  const exited = new Promise<TaskExit>((resolve) => {
    exit = resolve;
  });
  const end = (): void => {
    if (!alive) return;
    alive = false;
    endings.delete(end);
    const pending = [...(callsOf.get(taskId)?.pending ?? [])];
    endLocal(taskId);
    const gone = `task '${name}' has ended`;
    for (const giveUp of pending) giveUp(new IpcError('ERR_IPC_PEER_GONE', gone, { task: name }));
    exit({ code: 1, reason: 'killed' });
  };
  endings.add(end);
  return {
    kind: 'local',
    taskId,
    target,
    exports: table,
    exited,
    isAlive: () => alive,
    kill: () => {
      end();
      return Promise.resolve();
    },
    stubs: (stubOptions) => makeStubs(target, table, stubOptions, localCallers),
  };
}

function endLocal(taskId: number): void {
  const task = taskAt(taskId & INDEX_MASK);
  removeLocalExports(taskId);
  dropIterators(taskId);
  setLocalHost(taskId, null);
  callsOf.delete(taskId);
  const server = peek(task + TASK_SERVER) as ThreadId;
  handlers.delete(server);
  endBody(tcbOf(server));
  discardTask(task);
}

const failed = (start: Start, error: unknown): IpcError => {
  endLocal(start.taskId);
  return new IpcError(
    'ERR_IPC_SPAWN_FAILED',
    `task '${start.name}' did not start: ${String((error as Error).message)}`,
    {
      phase: 'spawn',
      task: start.name,
      cause: error,
    },
  );
};

function start(begun: Start): Starting {
  let hosted: HostedTask | null = null;
  const importLater = async (): Promise<HostedTask> => {
    let exports: Record<string, unknown>;
    try {
      exports = await importAt(begun.url.href);
    } catch (error) {
      importErrors.set(begun.url.href, error);
      throw failed(begun, error);
    }
    return (hosted ??= finishStart(begun, exports));
  };
  return { hosted: importLater(), wait: () => (hosted ??= startSync(begun)) };
}

function startSync(begun: Start): HostedTask {
  let exports: Record<string, unknown>;
  try {
    const path = fileURLToPath(begun.url);
    exports = requireFrom(path)(path) as Record<string, unknown>;
  } catch (error) {
    // Node 22 cannot require() a module whose import() has failed; its error stays what it was.
    const isInternal = (error as { code?: unknown } | null)?.code === 'ERR_INTERNAL_ASSERTION';
    throw failed(begun, isInternal ? (importErrors.get(begun.url.href) ?? error) : error);
  }
  return finishStart(begun, exports);
}

/** What kept modules from being imported. */
const importErrors = new Map<string, unknown>();

export const localHost: TaskHost = { start, startSync };

/** Ends every local task of this agent. */
export function endLocals(): void {
  for (const end of endings) end();
}
