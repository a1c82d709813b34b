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
import { TASK_CALLER, TASK_SERVER, taskAt } from '../layout/task.ts';
import { PARKED, type Tcb, TCB_SEQUENCE, TCB_STATE, TCB_TASK, type ThreadId, tcbOf, waiting } from '../layout/tcb.ts';
import { agent, idOf } from '../user/agent.ts';
import { originOf } from '../user/incarnations.ts';
import { endLoans } from './bytes.ts';
import { transfersOf } from './carry.ts';
import { CodecError, decode, encode } from './codec.ts';
import { putThrown } from './failure.ts';
import { inContext, METHOD_CONTEXT } from './context.ts';
import { IpcError, noSuchMethod } from './ipc-error.ts';
import { functionsPut, type ImportFunction, putArguments, putResult, takeArguments, whenLent } from './payload.ts';
import { awaitAnswer } from './answer.ts';
import { step } from './generators.ts';
import { clearInterval, setInterval, setTimeout } from '../platform/timers.ts';

/** Method 0 of every task gives its export list; the others are the exports in order. */
export const METHOD_DESCRIBE = 0;
export const METHOD_FIRST = 1;
/** A step of an iterator that an export gave: rpc/generators.ts. */
export const METHOD_STEP = 0x3fff;
/** From here on a method is a function of `host`, of the table for the sender's task. */
export const METHOD_HOST = 0x4000;

export type AnyFunction = (...args: unknown[]) => unknown;

/** Functions and their names, in one order: that of their method numbers. */
export interface Table {
  readonly names: readonly string[];
  readonly functions: readonly AnyFunction[];
}

/** What a task says of itself: its exports, and which of them are generator functions. */
export interface Exports {
  readonly names: readonly string[];
  readonly streams: readonly string[];
}

/** The exports of a task. */
export interface ExportTable extends Table, Exports {}

const EMPTY: ExportTable = { names: [], functions: [], streams: [] };
/** What the agent's own task exports; what local tasks in this agent do, by task index. */
let ownTable = EMPTY;
const localTables = new Map<number, ExportTable>();
/** Functions granted to tasks that this agent spawned, by the origin of the task. */
const hosts = new Map<number, Table>();

/** A call being served, as long as it can be called back. */
export interface Request {
  readonly sender: ThreadId;
  readonly sequence: number;
  readonly self: Tcb;
  open: boolean;
  /** Behind `here.signal`; null until it is asked for. */
  controller: AbortController | null;
  /** Upcalls that the waiting thread serves while our loop goes on: it cannot take the answer before they end. */
  upcalls: number;
  /** Answers, once the last of them has ended. */
  onUpcallsEnd: (() => void) | null;
  /** Buffers of its arguments that are its own until it is answered. */
  loans: ArrayBuffer[] | null;
}

/** The calls whose synchronous parts run now, the inmost last: sender, sequence and receiving thread of each. */
const stack: number[] = [];
let top = 0;
/** That of the inmost call. Made only when somebody asks for it. */
let serving: Request | null = null;
/** Calls whose asynchronous handlers are under way. */
const openRequests = new Set<Request>();
/**
 * Senders that were not back in their wait when a call to them had ended in an error, and the sequence of the call that
 * they wait in: they may serve it still, though nobody waits for it any more, and would miss our answer.
 */
const astray = new Map<ThreadId, number>();
/** Their answer waits for them so often, a little longer each time; in all about a second. */
const ASTRAY_LOOKS = 20;
const ASTRAY_PAUSE_MAX_ms = 64;

function enter(sender: number, sequence: number, self: Tcb): void {
  stack[top] = sender;
  stack[top + 1] = sequence;
  stack[top + 2] = self;
  top += 3;
}
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
export function setExports(table: ExportTable, limit: number): void {
  ownTable = table;
  concurrency = limit;
}

export const setLocalExports = (task: number, table: ExportTable): void => {
  localTables.set(task & INDEX_MASK, table);
};
export const removeLocalExports = (task: number): boolean => localTables.delete(task & INDEX_MASK);
export const hasLocalTasks = (): boolean => localTables.size > 0;

/** The exports of the task of thread `self`. */
function tableFor(self: Tcb): ExportTable {
  const task = peek(self + TCB_TASK);
  return task === agent.taskId ? ownTable : (localTables.get(task & INDEX_MASK) ?? EMPTY);
}

export function grantHost(origin: number, host: Record<string, unknown>): readonly string[] {
  const table = tableOf(host);
  hosts.set(origin, table);
  return table.names;
}

export const revokeHost = (origin: number): boolean => hosts.delete(origin);

/** Whether as many asynchronous handlers are under way as may be. */
export const isFull = (): boolean => asyncInFlight >= concurrency;
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
  const outer = serving;
  const outerThread = agent.current;
  const outerLocal = servingLocally;
  enter(sender, sequence, self);
  serving = null;
  servingLocally = null;
  agent.current = self;
  let closing = true;
  try {
    const fn = functionFor(self, tag, task, callbacks);
    const args = takeArguments(self, tag, importFunction);
    const result = apply(fn, args);
    const isLater = isThenable(result);
    if (isLater && blocked) throw promiseToBlocked(result);
    if (!isLater && (blocked || !isAstray(sender, sequence))) return REPLY | putResult(result, task);
    answerLater(Promise.resolve(result), makeRequest(), answer);
    closing = false;
    return 0;
  } catch (error) {
    if (blocked || !isAstray(sender, sequence)) return putThrown(error, task);
    answerLater(Promise.reject(error), makeRequest(), answer);
    closing = false;
    return 0;
  } finally {
    if (closing) closeRequest();
    if (closing && astray.size > 0) astray.delete(sender);
    top -= 3;
    serving = outer;
    servingLocally = outerLocal;
    agent.current = outerThread;
  }
}

/** A call of a task in this agent: how long its functions are valid, and what `here.signal` gives in it. */
export interface LocalRequest {
  open: boolean;
  controller: AbortController | null;
  /** The thread that called, whose functions are its arguments. */
  readonly caller: Tcb;
}

/** Of the local call whose synchronous part runs now. */
let servingLocally: LocalRequest | null = null;

/**
 * As `serve`, for a task in the caller's own agent: callbacks are called directly, and the promise of an asynchronous
 * handler is given as it is, for its caller to await.
 */
export function serveLocally(self: Tcb, callbacks: Callbacks, request: LocalRequest): number | PromiseLike<unknown> {
  const tag = registers[R_TAG]!;
  const outer = serving;
  const outerLocal = servingLocally;
  const outerThread = agent.current;
  enter(registers[R_SENDER]!, 0, self);
  serving = null;
  servingLocally = request;
  agent.current = self;
  try {
    const fn = functionFor(self, tag, agent.taskId, null);
    const args = takeArguments(self, tag, (index) => whileOpen(callbacks![index] as AnyFunction, index, request));
    const result = apply(fn, args);
    if (isThenable(result)) return result;
    request.open = false;
    return REPLY | putResult(result, agent.taskId);
  } catch (error) {
    request.open = false;
    return putThrown(error, agent.taskId);
  } finally {
    top -= 3;
    serving = outer;
    servingLocally = outerLocal;
    agent.current = outerThread;
  }
}

const revoked = (name: string): IpcError =>
  new IpcError('ERR_IPC_REVOKED', `${name}: a function argument is valid until its call returns; it has returned`);

/** A function of the other side of a local call, its values copied, until the call returns. */
const whileOpen = (fn: AnyFunction, index: number, request: LocalRequest): AnyFunction =>
  callAcross(fn, request.caller, () => {
    if (!request.open) throw revoked(`callback ${index}`);
  });

/** A function of thread `owner` in this agent, called by another task: arguments and result are copied. */
export function callAcross(fn: AnyFunction, owner: Tcb, check: () => void = () => {}): AnyFunction {
  return (...args) => {
    check();
    const request: LocalRequest = { open: true, controller: null, caller: agent.current };
    const taken = copyAcross(args, 'args', (inner, index) => whileOpen(inner, index, request)) as unknown[];
    const outerThread = agent.current;
    agent.current = owner;
    try {
      const result = apply(fn, taken);
      if (isThenable(result)) throw promiseToBlocked(result);
      return copyAcross(result, 'result', () => {
        throw new CodecError('ERR_IPC_NOT_CLONEABLE', 'a function in a result cannot be sent');
      });
    } catch (error) {
      throw refused(error);
    } finally {
      request.open = false;
      agent.current = outerThread;
    }
  };
}

/** The same in the event loop: the function may give a promise. */
export async function callAcrossLater(fn: AnyFunction, args: readonly unknown[]): Promise<unknown> {
  const taken = copyAcross(args, 'args', (inner) => inner) as unknown[];
  return copyAcross(await apply(fn, taken), 'result', () => {
    throw new CodecError('ERR_IPC_NOT_CLONEABLE', 'a function in a result cannot be sent');
  });
}

/** An error of the codec as an IpcError; any other as it is. */
const refused = (error: unknown): unknown =>
  error instanceof CodecError ? new IpcError('ERR_IPC_NOT_CLONEABLE', error.message, { phase: 'send' }) : error;

function copyAcross(
  value: unknown,
  root: 'args' | 'result',
  wrap: (fn: AnyFunction, index: number) => AnyFunction,
): unknown {
  try {
    const { bytes, length, functions, carried } = encode(value, root);
    return decode(bytes.slice(0, length), 0, length, {
      importFunction: (index) => wrap(functions![index] as AnyFunction, index),
      carried: carried === null ? null : structuredClone(carried, { transfer: transfersOf(carried) }),
    });
  } catch (error) {
    throw refused(error);
  }
}

/** What was made of the present request can no longer be used. */
function closeRequest(): void {
  if (serving === null) return;
  serving.open = false;
  if (serving.loans !== null) endLoans(serving.loans);
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

const hasContext = (tag: number): boolean => ((tag >> TAG_METHOD_SHIFT) & METHOD_CONTEXT) !== 0;
const withoutContext = (tag: number): number => tag & ~(METHOD_CONTEXT << TAG_METHOD_SHIFT);

function functionFor(self: Tcb, tag: number, task: number, callbacks: Callbacks): AnyFunction {
  const method = tag >> TAG_METHOD_SHIFT;
  if ((tag & TAG_FLAG) !== 0) {
    const callback = callbacks?.[method];
    if (callback === undefined)
      throw new IpcError('ERR_IPC_REVOKED', 'the call that this function belonged to is over');
    return callback as AnyFunction;
  }
  if (method >= METHOD_HOST) {
    const fn = hosts.get(originOf(task))?.functions[method - METHOD_HOST];
    if (fn === undefined && hasContext(tag)) return inContext(functionFor(self, withoutContext(tag), task, callbacks));
    if (fn === undefined) throw new IpcError('ERR_IPC_DENIED', 'no such host function was granted to this task');
    return fn;
  }
  const table = tableFor(self);
  if (method === METHOD_DESCRIBE) return () => ({ names: table.names, streams: table.streams });
  const fn = table.functions[method - METHOD_FIRST];
  if (method === METHOD_STEP) return step as AnyFunction;
  if (fn === undefined && hasContext(tag)) return inContext(functionFor(self, withoutContext(tag), task, callbacks));
  if (fn === undefined) throw noSuchMethod('callee', `method ${method}`, table.names);
  return fn;
}

/** The refusal of a callback's promise. What it is rejected with later is nobody's any more. */
export function promiseToBlocked(promise: PromiseLike<unknown>): IpcError {
  Promise.resolve(promise).catch(() => {});
  return new IpcError(
    'ERR_IPC_DEADLOCK',
    'the callback returned a promise, but its caller is blocked in a .sync call and cannot settle it; call with .async',
  );
}

function makeRequest(): Request {
  serving ??= requestAt(top - 3);
  return serving;
}

const requestAt = (at: number): Request => ({
  sender: stack[at]! as ThreadId,
  sequence: stack[at + 1]!,
  self: stack[at + 2]! as Tcb,
  open: true,
  controller: null,
  upcalls: 0,
  onUpcallsEnd: null,
  loans: null,
});

whenLent((buffer) => {
  const request = makeRequest();
  request.loans ??= [];
  request.loans.push(buffer);
});

function answerLater(result: PromiseLike<unknown>, request: Request, answer: ((tag: number) => void) | null): void {
  asyncInFlight++;
  openRequests.add(request);
  const task = peek(tcbOf(request.sender) + TCB_TASK);
  let looks = 0;
  const finish = (value: unknown, put: (value: unknown, task: number) => number): void => {
    if (request.upcalls > 0) {
      request.onUpcallsEnd = () => finish(value, put);
      return;
    }
    if (isAstray(request.sender, request.sequence) && !awaitsUs(request) && looks < ASTRAY_LOOKS) {
      setTimeout(() => finish(value, put), Math.min(2 ** looks++, ASTRAY_PAUSE_MAX_ms));
      return;
    }
    astray.delete(request.sender);
    let tag: number;
    try {
      tag = put(value, task);
    } catch (error) {
      tag = putThrown(error, task);
    }
    request.open = false;
    if (request.loans !== null) endLoans(request.loans);
    openRequests.delete(request);
    asyncInFlight--;
    if (answer === null) reply(request.self, request.sender, request.sequence, tag);
    else answer(tag);
    onHandlerEnd?.();
  };
  Promise.resolve(result).then(
    (value) => finish(value, putReply),
    (error: unknown) => finish(error, putThrown),
  );
}

const isAstray = (sender: ThreadId, sequence: number): boolean => astray.size > 0 && astray.get(sender) === sequence;

const putReply = (value: unknown, task: number): number => REPLY | putResult(value, task);

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
  const calling = { task: 'caller', taskId: task, method: name, timeout_ms: NEVER, began_ms: NEVER, tag };
  try {
    return awaitAnswer(self, code === SEND_TIMEOUT ? DROPPED : code, request.sender, calling, callbacks);
  } catch (error) {
    if (!awaitsUs(request)) astray.set(request.sender, request.sequence);
    throw error;
  }
}

/**
 * If a thread of task `task` waits in place for an answer of ours, calls method `method` on that thread, and says so. A
 * task that is called back by whom it called cannot take the call elsewhere: its agent is blocked.
 */
export function callWaiting(
  task: number,
  method: number,
  name: string,
  args: readonly unknown[],
): { value: unknown } | null {
  if (top === 0 && openRequests.size === 0) return null;
  const request = waitingRequest(task);
  return request === null ? null : { value: callBack(request, method << TAG_METHOD_SHIFT, name, args) };
}

/** A request of task `task` whose sender waits for our answer: the inmost, else one with an asynchronous handler. */
function waitingRequest(task: number): Request | null {
  for (let at = top - 3; at >= 0; at -= 3) {
    if (peek(tcbOf(stack[at]!) + TCB_TASK) !== task) continue;
    const request = at === top - 3 ? makeRequest() : requestAt(at);
    if (awaitsUs(request)) return request;
  }
  return blockedRequest(task) ?? openRequest(task, () => true);
}

function openRequest(task: number, fits: (sender: ThreadId) => boolean): Request | null {
  for (const request of openRequests) {
    if (peek(tcbOf(request.sender) + TCB_TASK) === task && fits(request.sender) && awaitsUs(request)) return request;
  }
  return null;
}

/**
 * A request of task `task` with an asynchronous handler whose sender is one of the task's standing threads: those call
 * in place only, so that the task's agent is blocked until we answer.
 */
export function blockedRequest(task: number): Request | null {
  if (openRequests.size === 0) return null;
  const record = taskAt(task & INDEX_MASK);
  return openRequest(task, (id) => id === peek(record + TASK_CALLER) || id === peek(record + TASK_SERVER));
}

/** Delays the answer to a request until what is returned is called. */
export function holdAnswer(request: Request): () => void {
  request.upcalls++;
  return () => {
    request.upcalls--;
    if (request.upcalls > 0) return;
    const action = request.onUpcallsEnd;
    request.onUpcallsEnd = null;
    action?.();
  };
}

/** Sender of the call being served. Throws outside the synchronous part of a handler. */
export function currentSender(): ThreadId {
  if (top === 0) throw outsideHandler('sender');
  return stack[top - 3]! as ThreadId;
}

/** Aborted when nobody waits for the answer to the call being served any more. */
export function currentSignal(): AbortSignal {
  if (top === 0) throw outsideHandler('signal');
  if (servingLocally !== null) {
    servingLocally.controller ??= new AbortController();
    return servingLocally.controller.signal;
  }
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
