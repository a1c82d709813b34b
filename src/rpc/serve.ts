/**
 * The callee's side: a message in the registers becomes a call of a function, its result the answer in the registers.
 *
 * Methods are numbered by the export list. Function arguments are stubs that call back the waiting caller (an *upcall*,
 * marked by the tag's flag), valid until the call is answered. Calls without the flag may arrive at a waiting thread as
 * well: a task that calls back the task which called it reaches the thread that waits.
 */
import { load, peek, registers } from '#atomics';
import { call } from '../kernel/ipc.ts';
import { reply } from '../kernel/ipc-slow.ts';
import {
  CALL,
  DROPPED,
  NEVER,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  REPLY,
  SEND_TIMEOUT,
  TAG_FLAG,
  TAG_KIND,
  TAG_METHOD_SHIFT,
} from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { PARKED, type Tcb, TCB_SEQUENCE, TCB_STATE, TCB_TASK, type ThreadId, tcbOf, waiting } from '../layout/tcb.ts';
import { agent, idOf } from '../user/agent.ts';
import { putThrown } from './failure.ts';
import { IpcError, noSuchMethod } from './ipc-error.ts';
import { functionsPut, type ImportFunction, putArguments, putResult, takeArguments } from './payload.ts';
import { awaitAnswer } from './answer.ts';

/** Method 0 of every task gives its export list; the others are the exports in order. */
export const METHOD_DESCRIBE = 0;
export const METHOD_FIRST = 1;
/** From here on a method is a function of `host`, of the table for the sender's task. */
export const METHOD_HOST = 0x4000;

export type AnyFunction = (...args: unknown[]) => unknown;

/** Functions and their names, in one order: that of their method numbers. */
export interface Table {
  readonly names: readonly string[];
  readonly functions: readonly AnyFunction[];
}

const EMPTY: Table = { names: [], functions: [] };
/** What the agent's own task exports; what local tasks in this agent do, by task index. */
let ownTable = EMPTY;
const localTables = new Map<number, Table>();
/** Functions granted to tasks that this agent spawned, by task index. */
const hosts = new Map<number, Table>();

/** A call being served, as long as it can be called back. */
interface Request {
  readonly sender: ThreadId;
  readonly sequence: number;
  readonly self: Tcb;
  open: boolean;
  /** Behind `here.signal`; null until it is asked for. */
  controller: AbortController | null;
}

/** Sender of the call whose synchronous part runs now; 0 outside. */
let servingSender = 0;
let servingSequence = 0;
let servingSelf = 0 as Tcb;
/** Made only when somebody asks for it. */
let serving: Request | null = null;
let asyncInFlight = 0;
let concurrency = Number.POSITIVE_INFINITY;
let onHandlerEnd: (() => void) | null = null;

/**
 * The functions of a module. Classes are none, and a CommonJS module whose exports Node could not name gives those of
 * its default export.
 */
export function tableOf(exports: Record<string, unknown>): Table {
  const names = Object.keys(exports).filter((name) => typeof exports[name] === 'function' && !isClass(exports[name]));
  const whole = exports['default'];
  if (names.length === 0 && typeof whole === 'object' && whole !== null) return tableOf({ ...whole });
  return { names, functions: names.map((name) => exports[name] as AnyFunction) };
}

const isClass = (value: unknown): boolean => /^class\b/.test(Function.prototype.toString.call(value));

/** States what the agent's own task exports, and how many of its asynchronous handlers may be under way. */
export function setExports(table: Table, limit: number): void {
  ownTable = table;
  concurrency = limit;
}

export const setLocalExports = (task: number, table: Table): void => {
  localTables.set(task & INDEX_MASK, table);
};
export const removeLocalExports = (task: number): boolean => localTables.delete(task & INDEX_MASK);

/** The exports of the task of thread `self`. */
function tableFor(self: Tcb): Table {
  const task = peek(self + TCB_TASK);
  return task === agent.taskId ? ownTable : (localTables.get(task & INDEX_MASK) ?? EMPTY);
}

export function grantHost(task: number, host: Record<string, unknown>): readonly string[] {
  const table = tableOf(host);
  hosts.set(task & INDEX_MASK, table);
  return table.names;
}

export const revokeHost = (task: number): boolean => hosts.delete(task & INDEX_MASK);

/** Whether as many asynchronous handlers are under way as may be. */
export const isFull = (): boolean => asyncInFlight >= concurrency;
export const asyncRequests = (): number => asyncInFlight;
/** States what to do whenever an asynchronous handler has ended. */
export const whenHandlerEnds = (action: () => void): void => {
  onHandlerEnd = action;
};

/** The functions to call back of the call that `self` waits for. */
export type Callbacks = readonly Function[] | null;

/**
 * Serves the call in the registers, received by `self`. Returns the tag of the answer, which is in the registers; 0
 * when the answer comes later or none is wanted. `callbacks`: those that the sender may mean, when it is one we wait
 * for.
 * `blocked`: the thread waits in place, so a promise could never settle. `answer`: what to do with a later answer,
 * whose tag it is given, in place of a plain reply.
 */
export function serve(
  self: Tcb,
  callbacks: Callbacks,
  blocked: boolean,
  answer: ((tag: number) => void) | null = null,
): number {
  const tag = registers[R_TAG]!;
  const sender = registers[R_SENDER]! as ThreadId;
  const sequence = registers[R_SEQUENCE]!;
  if ((tag & TAG_KIND) !== CALL) return 0;
  const task = peek(tcbOf(sender) + TCB_TASK);
  const outerSender = servingSender;
  const outerSequence = servingSequence;
  const outerSelf = servingSelf;
  const outer = serving;
  const outerThread = agent.current;
  servingSender = sender;
  servingSequence = sequence;
  servingSelf = self;
  serving = null;
  agent.current = self;
  let closing = true;
  try {
    const fn = functionFor(self, tag, task, callbacks);
    const args = takeArguments(self, tag, importFunction);
    const result = apply(fn, args);
    if (!isThenable(result)) return REPLY | putResult(result, task);
    if (blocked) throw promiseToBlocked();
    answerLater(result, makeRequest(), answer);
    closing = false;
    return 0;
  } catch (error) {
    return putThrown(error, task);
  } finally {
    if (closing) closeRequest();
    servingSender = outerSender;
    servingSequence = outerSequence;
    servingSelf = outerSelf;
    serving = outer;
    agent.current = outerThread;
  }
}

/**
 * As `serve`, for a task in the caller's own agent: callbacks are called directly, and the promise of an asynchronous
 * handler is given as it is, for its caller to await.
 */
export function serveLocally(self: Tcb, callbacks: Callbacks): number | PromiseLike<unknown> {
  const tag = registers[R_TAG]!;
  const outerSender = servingSender;
  const outer = serving;
  const outerThread = agent.current;
  const validity = { open: true };
  servingSender = registers[R_SENDER]!;
  serving = null;
  agent.current = self;
  try {
    const fn = functionFor(self, tag, agent.taskId, null);
    const args = takeArguments(self, tag, (index) => whileOpen(callbacks![index] as AnyFunction, index, validity));
    const result = apply(fn, args);
    if (isThenable(result)) {
      const call = validity;
      return Promise.resolve(result).finally(() => {
        call.open = false;
      });
    }
    validity.open = false;
    return REPLY | putResult(result, agent.taskId);
  } catch (error) {
    validity.open = false;
    return putThrown(error, agent.taskId);
  } finally {
    servingSender = outerSender;
    serving = outer;
    agent.current = outerThread;
  }
}

const revoked = (name: string): IpcError =>
  new IpcError('ERR_IPC_REVOKED', `${name}: a function argument is valid until its call returns; it has returned`);

const whileOpen =
  (fn: AnyFunction, index: number, validity: { open: boolean }): AnyFunction =>
  (...args) => {
    if (!validity.open) throw revoked(`callback ${index}`);
    return structuredClone(fn(...structuredClone(args)));
  };

/** What was made of the present request can no longer be used. */
function closeRequest(): void {
  if (serving !== null) serving.open = false;
}

export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

/** Calls without a spread for the usual numbers of arguments. */
export function apply(fn: AnyFunction, args: unknown[]): unknown {
  switch (args.length) {
    case 0:
      return fn();
    case 1:
      return fn(args[0]);
    case 2:
      return fn(args[0], args[1]);
    default:
      return fn(...args);
  }
}

function functionFor(self: Tcb, tag: number, task: number, callbacks: Callbacks): AnyFunction {
  const method = tag >> TAG_METHOD_SHIFT;
  if ((tag & TAG_FLAG) !== 0) {
    const callback = callbacks?.[method];
    if (callback === undefined)
      throw new IpcError('ERR_IPC_REVOKED', 'the call that this function belonged to is over');
    return callback as AnyFunction;
  }
  if (method >= METHOD_HOST) {
    const fn = hosts.get(task & INDEX_MASK)?.functions[method - METHOD_HOST];
    if (fn === undefined) throw new IpcError('ERR_IPC_DENIED', 'no such host function was granted to this task');
    return fn;
  }
  const table = tableFor(self);
  if (method === METHOD_DESCRIBE) return () => table.names;
  const fn = table.functions[method - METHOD_FIRST];
  if (fn === undefined) throw noSuchMethod('callee', `method ${method}`, table.names);
  return fn;
}

const promiseToBlocked = (): IpcError =>
  new IpcError(
    'ERR_IPC_DEADLOCK',
    'the callback returned a promise, but its caller is blocked in a .sync call and cannot settle it; call with .async',
  );

function makeRequest(): Request {
  serving ??= {
    sender: servingSender as ThreadId,
    sequence: servingSequence,
    self: servingSelf,
    open: true,
    controller: null,
  };
  return serving;
}

function answerLater(result: PromiseLike<unknown>, request: Request, answer: ((tag: number) => void) | null): void {
  asyncInFlight++;
  const task = peek(tcbOf(request.sender) + TCB_TASK);
  const finish = (tag: number): void => {
    request.open = false;
    asyncInFlight--;
    if (answer === null) reply(request.self, request.sender, request.sequence, tag);
    else answer(tag);
    onHandlerEnd?.();
  };
  Promise.resolve(result).then(
    (value) => {
      let tag: number;
      try {
        tag = REPLY | putResult(value, task);
      } catch (error) {
        tag = putThrown(error, task);
      }
      finish(tag);
    },
    (error: unknown) => finish(putThrown(error, task)),
  );
}

/** A stub for a function of the caller, valid until this call is answered. */
const importFunction: ImportFunction = (index) => {
  const request = makeRequest();
  return (...args: unknown[]) => callBack(request, TAG_FLAG | (index << TAG_METHOD_SHIFT), `callback ${index}`, args);
};

/** Calls a function of the thread that waits for the answer to `request`. */
function callBack(request: Request, selector: number, name: string, args: readonly unknown[]): unknown {
  if (!request.open) {
    throw revoked(name);
  }
  const self = agent.current;
  const task = peek(tcbOf(request.sender) + TCB_TASK);
  const tag = CALL | selector | putArguments(args, task);
  const callbacks = functionsPut;
  const code = call(self, request.sender, idOf(request.self) & INDEX_MASK, tag, 0, NEVER);
  const calling = { task: 'caller', taskId: task, method: name, timeout_ms: NEVER };
  return awaitAnswer(self, code === SEND_TIMEOUT ? DROPPED : code, request.sender, calling, callbacks);
}

/**
 * If the call being served came from task `task`, calls method `method` on the thread that waits there, and says so.
 * A task that is called back by whom it called cannot take the call elsewhere: its agent is blocked.
 */
export function callWaiting(
  task: number,
  method: number,
  name: string,
  args: readonly unknown[],
): { value: unknown } | null {
  if (servingSender === 0 || peek(tcbOf(servingSender) + TCB_TASK) !== task) return null;
  return { value: callBack(makeRequest(), method << TAG_METHOD_SHIFT, name, args) };
}

/** Sender of the call being served. Throws outside the synchronous part of a handler. */
export function currentSender(): ThreadId {
  if (servingSender === 0) throw outsideHandler('sender');
  return servingSender as ThreadId;
}

/** Aborted when nobody waits for the answer to the call being served any more. */
export function currentSignal(): AbortSignal {
  if (servingSender === 0) throw outsideHandler('signal');
  const request = makeRequest();
  if (request.controller === null) {
    request.controller = new AbortController();
    watchCaller(request, request.controller);
  }
  return request.controller.signal;
}

const outsideHandler = (name: string): IpcError =>
  new IpcError(
    'ERR_IPC_DENIED',
    `here.${name} can be read in the synchronous part of a handler only: read it before the first await`,
  );

/** How often the callers of requests with a signal are looked at. */
const SIGNAL_PERIOD_ms = 20;

function watchCaller(request: Request, controller: AbortController): void {
  const timer = setInterval(() => {
    if (request.open && awaitsUs(request)) return;
    clearInterval(timer);
    if (request.open) controller.abort(new IpcError('ERR_IPC_ABORTED', 'the caller no longer waits for the answer'));
  }, SIGNAL_PERIOD_ms);
  timer.unref();
}

const awaitsUs = (request: Request): boolean => {
  const caller = tcbOf(request.sender);
  const state = load(caller + TCB_STATE) & ~PARKED;
  return state === waiting(request.sender, idOf(request.self)) && peek(caller + TCB_SEQUENCE) === request.sequence;
};
