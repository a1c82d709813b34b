/**
 * The callee's side: a message in the registers becomes a call of a function, its result the answer in the registers.
 *
 * Methods are numbered by the export list. Function arguments are stubs that call back the waiting caller (an *upcall*,
 * marked by the tag's flag), valid until the call is answered. Calls without the flag may arrive at a waiting thread as
 * well: a task that calls back the task which called it reaches the thread that waits.
 */
import { load, peek, registers } from '#atomics';
import { now_ms, wait } from '#wait';
import { call } from '../kernel/ipc.ts';
import { reply } from '../kernel/ipc-slow.ts';
import {
  CALL,
  DROPPED,
  NEVER,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  RECEIVE_TIMEOUT,
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
import { mendTorn, torn } from './overflow.ts';
import { functionsPut, type ImportFunction, putArguments, putResult, takeArguments, whenLent } from './payload.ts';
import { awaitAnswer } from './answer.ts';
import { step } from './generators.ts';
import { outlived } from './successor.ts';
import { clearInterval, performance, setInterval, setTimeout } from '../platform/timers.ts';

/** Method 0 of every task gives its export list; the others are the exports in order. */
export const METHOD_DESCRIBE = 0;
export const METHOD_FIRST = 1;
/** A step of an iterator that an export gave: rpc/generators.ts. */
export const METHOD_STEP = 0x3fff;
/** Serves the message that came to the server thread before its agent blocked: for who waits for the answer to that. */
export const METHOD_LINE = 0x3ffe;
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
  /** Asynchronous handlers that it has under way at most; not stated when it is first heard of. */
  readonly concurrency?: number;
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
 * Calls whose senders were not back in their wait when a call to them had ended in an error, by `keyOf`: they may serve
 * it still, though nobody waits for it any more, and would miss our answer. With the time until which they are taken to
 * do so, in milliseconds.
 */
const astray = new Map<number, number>();
/** Who needs them waits for them so long. */
const ASTRAY_MAX_ms = 1000;
/** They are looked for after a pause, which is doubled up to the second. */
const ASTRAY_PAUSE_MIN_ms = 1;
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
/** States what to do when a thread of a task waits for an answer of ours that will take time: it can be called back. */
export const whenBlocked = (action: (task: number) => void): void => {
  onBlocked = action;
};
let onBlocked: (task: number) => void = () => {};

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
    if (torn.length > 0) mendTorn();
    const isLater = isThenable(result);
    if (isLater && blocked) throw promiseToBlocked(result);
    if (!isLater && !holdsBack(sender, sequence, blocked)) return REPLY | putResult(result, task);
    answerLater(Promise.resolve(result), makeRequest(), answer);
    closing = false;
    return 0;
  } catch (error) {
    if (torn.length > 0) mendTorn();
    if (!holdsBack(sender, sequence, blocked)) return putThrown(error, task);
    answerLater(Promise.reject(error), makeRequest(), answer);
    closing = false;
    return 0;
  } finally {
    if (closing) closeRequest();
    if (closing && astray.size > 0) astray.delete(keyOf(sender, sequence));
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
  if (method === METHOD_DESCRIBE) return () => ({ names: table.names, streams: table.streams, concurrency });
  const fn = table.functions[method - METHOD_FIRST];
  if (method === METHOD_STEP) return step as AnyFunction;
  if (method === METHOD_LINE) return serveLine;
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
  if (isOfBlocked(request.sender, task)) onBlocked(task);
  if (isAstray(request.sender, request.sequence)) lookFor(request, Number.POSITIVE_INFINITY);
  const finish = (value: unknown, put: (value: unknown, task: number) => number): void => {
    if (request.upcalls > 0) {
      request.onUpcallsEnd = () => finish(value, put);
      return;
    }
    if (isAstray(request.sender, request.sequence) && !awaitsUs(request)) {
      request.onUpcallsEnd = () => finish(value, put);
      lookFor(request, performance.now() + ASTRAY_MAX_ms);
      return;
    }
    astray.delete(keyOf(request.sender, request.sequence));
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

const keyOf = (sender: ThreadId, sequence: number): number => sequence * (INDEX_MASK + 1) + (sender & INDEX_MASK);
const isAstray = (sender: ThreadId, sequence: number): boolean =>
  astray.size > 0 && astray.has(keyOf(sender, sequence));

/**
 * Whether the answer to the call that has just been served must wait for its sender. In place it is waited for here.
 */
function holdsBack(sender: ThreadId, sequence: number, blocked: boolean): boolean {
  const isHeld = serving !== null && serving.upcalls > 0;
  if (!isHeld && !isAstray(sender, sequence)) return false;
  if (blocked) comesBack(makeRequest());
  return !blocked;
}

/** A call to the sender of a request has ended, and may be served there still. */
function goAstray(request: Request): void {
  if (!request.open || awaitsUs(request)) return;
  const end_ms = performance.now() + ASTRAY_MAX_ms;
  astray.set(keyOf(request.sender, request.sequence), end_ms);
  if (openRequests.has(request)) lookFor(request, Number.POSITIVE_INFINITY);
}

/**
 * Looks, now and then, whether the sender of a request waits again, while the request is under way and until `end_ms`.
 * Then what has waited for that goes on: calls to its task, or the answer.
 */
function lookFor(request: Request, end_ms: number, pause_ms: number = ASTRAY_PAUSE_MIN_ms): void {
  const timer = setTimeout(() => {
    const { sender, sequence } = request;
    if (!request.open || !isAstray(sender, sequence)) return;
    const isBack = awaitsUs(request);
    if (!isBack && performance.now() < end_ms) {
      lookFor(request, end_ms, Math.min(2 * pause_ms, ASTRAY_PAUSE_MAX_ms));
      return;
    }
    astray.delete(keyOf(sender, sequence));
    if (isBack) onBlocked(peek(tcbOf(sender) + TCB_TASK));
    if (request.upcalls === 0) goOn(request);
  }, pause_ms);
  // An answer that is ready keeps the loop alive, as one that is being computed does by what it waits for.
  if (end_ms === Number.POSITIVE_INFINITY) timer.unref();
}

function goOn(request: Request): void {
  const action = request.onUpcallsEnd;
  request.onUpcallsEnd = null;
  action?.();
}

/** Waits in place for a sender that serves a call of ours to be back in its wait. False: it is not, in good time. */
function comesBack(request: Request): boolean {
  const caller = tcbOf(request.sender);
  const end_ms = performance.now() + ASTRAY_MAX_ms;
  while (!awaitsUs(request)) {
    if (idOf(caller) !== request.sender || performance.now() > end_ms) {
      astray.delete(keyOf(request.sender, request.sequence));
      return false;
    }
    wait(caller + TCB_STATE, load(caller + TCB_STATE), ASTRAY_PAUSE_MIN_ms);
  }
  return true;
}

/** Whether the sender of a request may be serving a call of ours, and come back. */
const isAway = (request: Request): boolean => request.upcalls > 0 || isAstray(request.sender, request.sequence);

const putReply = (value: unknown, task: number): number => REPLY | putResult(value, task);

/** A stub for a function of the caller, valid until this call is answered. */
const importFunction: ImportFunction = (index) => {
  const request = makeRequest();
  return (...args: unknown[]) => callBack(request, TAG_FLAG | (index << TAG_METHOD_SHIFT), `callback ${index}`, args);
};

/** Calls a function of the thread that waits for the answer to `request`. */
function callBack(
  request: Request,
  selector: number,
  name: string,
  args: readonly unknown[],
  timeout_ms: number = NEVER,
  taskName: string = 'caller',
): unknown {
  if (!request.open) throw revoked(name);
  const self = agent.current;
  const task = peek(tcbOf(request.sender) + TCB_TASK);
  const tag = CALL | selector | putArguments(args, task);
  const callbacks = functionsPut;
  const began_ms = timeout_ms === NEVER ? NEVER : now_ms();
  const calling = { task: taskName, taskId: task, method: name, timeout_ms, began_ms, tag };
  // Once our thread takes other calls, the sender may wait in a later one, whose functions have the same numbers.
  const isCurrent = request === serving && !isAway(request);
  const waits = isCurrent || awaitsUs(request) || (isAway(request) && comesBack(request));
  const limit_ms = timeout_ms > 0 ? timeout_ms : NEVER;
  const code = waits ? call(self, request.sender, idOf(request.self) & INDEX_MASK, tag, 0, limit_ms) : DROPPED;
  const isSent = code !== DROPPED && code !== SEND_TIMEOUT;
  if (code === RECEIVE_TIMEOUT) outlived(task, timeout_ms);
  try {
    return awaitAnswer(self, isSent ? code : DROPPED, request.sender, calling, callbacks);
  } catch (error) {
    if (isSent) goAstray(request);
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
  timeout_ms: number,
  taskName: string,
): { value: unknown } | null {
  if (top === 0 && openRequests.size === 0) return null;
  const request = waitingRequest(task);
  if (request === null) return null;
  return { value: callBack(request, method << TAG_METHOD_SHIFT, name, args, timeout_ms, taskName) };
}

/**
 * A request of task `task` whose sender waits for our answer: one whose agent is blocked, for then its loop serves no
 * others; else the inmost; else one with an asynchronous handler.
 */
function waitingRequest(task: number): Request | null {
  let found: Request | null = null;
  for (let at = top - 3; at >= 0; at -= 3) {
    if (peek(tcbOf(stack[at]!) + TCB_TASK) !== task) continue;
    const request = at === top - 3 ? makeRequest() : requestAt(at);
    if (!awaitsUs(request)) continue;
    if (isOfBlocked(request.sender, task)) return request;
    found ??= request;
  }
  return blockedRequest(task) ?? found ?? openRequest(task) ?? returningRequest(task);
}

/** One whose agent is blocked all the same, at a call of ours that it serves for us now. */
function returningRequest(task: number): Request | null {
  const comes = (request: Request): boolean =>
    isAway(request) && isOfBlocked(request.sender, task) && comesBack(request);
  if (serving !== null && comes(serving)) return serving;
  for (const request of openRequests) if (comes(request)) return request;
  return null;
}

function openRequest(task: number): Request | null {
  for (const request of openRequests) {
    if (peek(tcbOf(request.sender) + TCB_TASK) === task && awaitsUs(request)) return request;
  }
  return null;
}

/**
 * A request of task `task` with an asynchronous handler whose sender is one of the task's standing threads: those call
 * in place only, so that the task's agent is blocked until we answer.
 */
export function blockedRequest(task: number): Request | null {
  // In the synchronous part of a handler it is not known yet whether that is one.
  if (top > 0 && isOfBlocked(stack[top - 3]! as ThreadId, task)) {
    const request = makeRequest();
    if (awaitsUs(request)) return request;
  }
  if (openRequests.size === 0) return null;
  for (const request of openRequests) if (isOfBlocked(request.sender, task) && awaitsUs(request)) return request;
  return null;
}

function isOfBlocked(sender: ThreadId, task: number): boolean {
  const record = taskAt(task & INDEX_MASK);
  if (peek(tcbOf(sender) + TCB_TASK) !== task) return false;
  return sender === peek(record + TASK_CALLER) || sender === peek(record + TASK_SERVER);
}

let serveLine: () => void = () => {};
/** States how a message to the server thread is served while the agent is blocked. */
export const setServeLine = (action: () => void): void => {
  serveLine = action;
};

/** Delays the answer to a request until what is returned is called. */
export function holdAnswer(request: Request): () => void {
  request.upcalls++;
  return () => {
    request.upcalls--;
    if (request.upcalls > 0) return;
    goAstray(request);
    goOn(request);
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
    if (request.open && (awaitsUs(request) || isServing(request))) return;
    clearInterval(timer);
    if (request.open) controller.abort(new IpcError('ERR_IPC_ABORTED', 'the caller no longer waits for the answer'));
  }, SIGNAL_PERIOD_ms);
  timer.unref();
}

/** Whether its sender is to be taken for one that serves a call of ours, and waits again when it has. */
const isServing = (request: Request): boolean =>
  request.upcalls > 0 || (astray.get(keyOf(request.sender, request.sequence)) ?? 0) > performance.now();

const awaitsUs = (request: Request): boolean => {
  const caller = tcbOf(request.sender);
  const state = load(caller + TCB_STATE) & ~PARKED;
  return state === waiting(request.sender, idOf(request.self)) && peek(caller + TCB_SEQUENCE) === request.sequence;
};
