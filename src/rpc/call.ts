/**
 * The caller's side: a call through a stub, blocking this thread (`.sync`) or in the event loop (`.async`).
 *
 * An `.async` call takes a call tcb of the agent's pool and is sent at once; when all are in use, or too many of them
 * are with one task, it waits in the caller's own heap, first come first served per task. What it carries is copied
 * when it is made, so that later changes of an argument are not seen. Calls to one task are taken in the order in which
 * they were made, whatever becomes of an incarnation of it or of the calls before.
 */
import { load, peek, poke, registers } from '#atomics';
import { now_ms } from '#wait';
import { call } from '../kernel/ipc.ts';
import { checkThread, continueSend, finishMessage, reply, replyAndWaitFrom, startSend } from '../kernel/ipc-slow.ts';
import { cancel } from '../kernel/fault.ts';
import { withdraw } from '../kernel/park.ts';
import { createThread, freeThread, giveWindow } from '../kernel/tcb.ts';
import { inPieces, outgoing, takeMessage } from '../kernel/transfer.ts';
import {
  ABORTED,
  CALL,
  ERROR,
  LIMIT,
  NEVER,
  NOT_TAKEN,
  NOT_YET,
  OK,
  PEER_GONE,
  R_CALLED,
  R_SENDER,
  R_SEQUENCE,
  R_STRING,
  R_TAG,
  R_WORD,
  RECEIVE_TIMEOUT,
  REPLY,
  REST,
  type Result,
  SEND_TIMEOUT,
  TAG_KIND,
  TAG_METHOD_SHIFT,
  TAG_STRINGS,
  TAG_WORDS,
} from '../layout/message.ts';
import { ANY_INDEX, CALLS_IN_FLIGHT, INDEX_MASK, LISTEN_SLICE_ms } from '../layout/params.ts';
import { TASK_ENTERED_ONCE, taskAt } from '../layout/task.ts';
import {
  KIND_MASK,
  LOCK,
  POLL,
  RUN,
  type Tcb,
  TCB_DEADLINE,
  TCB_HOME,
  TCB_OUT_PIECES,
  TCB_SENDER,
  TCB_SEQUENCE,
  TCB_SINCE,
  TCB_STATE,
  TCB_STRING,
  TCB_TAG,
  TCB_TASK,
  TCB_WINDOW,
  type ThreadId,
  tcbOf,
  WAIT,
} from '../layout/tcb.ts';
import { takeBytes } from '../platform/atomics.ts';
import { agent, holder, idOf, isAttached } from '../user/agent.ts';
import { COMING, originOf } from '../user/incarnations.ts';
import { setDeadline } from '../user/clock.ts';
import { unwatch, watch, type Watcher } from '../user/loop.ts';
import { awaitAnswer } from './answer.ts';
import type { ByteOptions } from './bytes.ts';
import { continueStack, joinStacks } from './errors-codec.ts';
import { abortedError, type Calling, failure, putThrown, sendError, takeThrown } from './failure.ts';
import { type Entry, Fifo, NOWHERE } from './fifo.ts';
import { IpcError } from './ipc-error.ts';
import { readAwaitedNews } from './news.ts';
import { mendTorn, OVERFLOW, ready, torn } from './overflow.ts';
import { carries, functionsPut, gaveAway, putArguments, putLending, takeResult, takeResultInto } from './payload.ts';
import { blockedRequest, type Callbacks, callWaiting, holdAnswer, METHOD_LINE, serve, whenBlocked } from './serve.ts';
import { awaitSuccessor, FOUND, mayBeSucceeded, NOBODY, outlived, retarget } from './successor.ts';
import { callTrace } from './trace.ts';
import { clearTimeout, setTimeout } from '../platform/timers.ts';

// A constant of this file, not an import: V8 folds what it can see never to change.
const trace = callTrace;

/** A task as its callers know it. */
export interface Target {
  /** Its server thread. */
  id: ThreadId;
  /** Its present incarnation, as far as is known, and the first one. */
  taskId: number;
  readonly origin: number;
  name: string;
  /** Calls by this agent's event loop that wait for a call tcb, and how many are with the task. */
  readonly queue: Fifo<PendingCall>;
  inFlight: number;
  /** Those that stood in a server's queue when last looked at, in order: the next one stays behind them. */
  readonly untaken: PendingCall[];
  /** Calls that came back from an incarnation which ended before it took them: they wait for the next one. */
  readonly returned: Set<PendingCall>;
  /** The pool that it is an instance of; of a pool's own target, where its calls wait, that pool. */
  readonly pool: Pool | null;
  /** A call to it was given up, and nobody has seen it open since: it may be at that call still. */
  isSuspect: boolean;
}

/** Several tasks behind one stub: tasks/pool.ts. */
export interface Pool {
  readonly target: Target;
  /** The instance that takes the next call; null when all are busy. */
  pick(): Target | null;
  /** An instance that takes calls, with the fewest before the next one; null when there is none. */
  any(): Target | null;
  /** An instance, though it may take no calls any more: its failure is that of the call. */
  last(): Target;
  /** For a caller that waits in place: one that is open, else the one that it stands in the queue of this time. */
  inTurn(turn: number): Target | null;
  /** No instance is left, and none will come. */
  isOver(): boolean;
  /** A call finds all instances busy. */
  onShortage(): void;
}

/** A task as its callers know it, before the first call. */
export const makeTarget = (id: ThreadId, taskId: number, name: string, pool: Pool | null = null): Target => ({
  id,
  taskId,
  origin: originOf(taskId),
  name,
  queue: new Fifo(),
  inFlight: 0,
  untaken: [],
  returned: new Set(),
  pool,
  isSuspect: false,
});

/** What `with` sets, with the defaults filled in. */
export interface Options {
  readonly timeout_ms: number;
  readonly signal: AbortSignal | undefined;
  /** Values that a step of a stream brings at most. */
  readonly batch: number;
  readonly bytes: ByteOptions | null;
}

/** Those of a stub that nobody has given any. */
export const plainOptions = (timeout_ms: number): Options => ({
  timeout_ms,
  signal: undefined,
  batch: 1,
  bytes: null,
});

/** Calls in flight to one task, so that a slow one leaves tcbs to the others. */
export const IN_FLIGHT_PER_TARGET = (CALLS_IN_FLIGHT * 3) / 4;

const callingOf = (
  target: Target,
  method: string,
  options: Options,
  began_ms: number = NEVER,
  tag: number = 0,
): Calling => ({
  task: target.name,
  taskId: target.taskId,
  method,
  timeout_ms: options.timeout_ms,
  began_ms,
  tag,
});

/** Puts arguments into the registers, or throws the caller's error. */
function put(
  target: Target,
  method: string,
  options: Options,
  args: readonly unknown[],
  lends: boolean = false,
): number {
  try {
    return lends ? putLending(args, target.taskId) : putArguments(args, target.taskId);
  } catch (error) {
    throw sendError(error, callingOf(target, method, options));
  }
}

/** Calls method number `method` of the task, and waits for the answer in place. */
export function callSync(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
): unknown {
  if (trace.isWanted()) return trace.sync(callSync, target, method, name, options, args);
  if (torn.length > 0) mendTorn();
  const { timeout_ms, signal } = options;
  if (signal !== undefined && signal.aborted) throw abortedError(callingOf(target, name, options), signal);
  const back = callWaiting(target.taskId, method, name, args, timeout_ms, target.name);
  if (back !== null) return back.value;
  const selector = CALL | (method << TAG_METHOD_SHIFT) | put(target, name, options, args);
  const callbacks = functionsPut;
  const self = agent.current;
  const { id } = target;
  const began_ms = timeout_ms === NEVER ? NEVER : now_ms();
  try {
    const code = call(self, id, ANY_INDEX, selector, timeout_ms, timeout_ms > 0 ? REST : NEVER);
    if (code === OK && (registers[R_TAG]! & TAG_KIND) === REPLY) return takeResult(self, registers[R_TAG]!);
    if (code === NOT_TAKEN && !(carries(selector) && gaveAway)) {
      return callSuccessor(target, method, name, options, args, began_ms);
    }
    return finishSync(self, code, id, target, callingOf(target, name, options, began_ms, selector), callbacks);
  } catch (error) {
    if (error instanceof RangeError && error.message === OVERFLOW) {
      torn.push(self, id);
      void ready.then(mendTorn);
    }
    throw error;
  }
}

function finishSync(
  self: Tcb,
  code: Result,
  id: ThreadId,
  target: Target,
  calling: Calling,
  callbacks: Callbacks,
  bytes: ByteOptions | null = null,
): unknown {
  if (code === RECEIVE_TIMEOUT || code === ABORTED) target.isSuspect = true;
  if (code === RECEIVE_TIMEOUT && outlived(target.taskId, calling.timeout_ms)) target.id = NOBODY;
  return awaitAnswer(self, code, id, calling, callbacks, bytes);
}

/** As `callSync`, with byte arrays lent, or the result put where the caller wants it. */
export function callSyncBytes(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
): unknown {
  if (trace.isWanted()) return trace.sync(callSyncBytes, target, method, name, options, args);
  if (torn.length > 0) mendTorn();
  const { timeout_ms, signal } = options;
  const bytes = options.bytes!;
  bytes.begin();
  if (signal !== undefined && signal.aborted) throw abortedError(callingOf(target, name, options), signal);
  const named = { task: target.name, method: name };
  const back = callWaiting(target.taskId, method, name, args, timeout_ms, target.name);
  if (back !== null) return bytes.place(back.value, named);
  const selector = CALL | (method << TAG_METHOD_SHIFT) | put(target, name, options, args, bytes.borrow);
  const callbacks = functionsPut;
  const self = agent.current;
  const { id } = target;
  const began_ms = timeout_ms === NEVER ? NEVER : now_ms();
  try {
    const code = call(self, id, ANY_INDEX, selector, timeout_ms, timeout_ms > 0 ? REST : NEVER);
    // What was lent is the caller's alone again.
    outgoing.length = 1;
    if (code === NOT_TAKEN && !(carries(selector) && gaveAway)) {
      return bytes.place(callSuccessor(target, method, name, options, args, began_ms), named);
    }
    return finishSync(self, code, id, target, callingOf(target, name, options, began_ms, selector), callbacks, bytes);
  } catch (error) {
    if (error instanceof RangeError && error.message === OVERFLOW) {
      torn.push(self, id);
      void ready.then(mendTorn);
    }
    throw error;
  }
}

/** Makes a call that no incarnation has taken yet to the one that is there next, within what is left of its timeout. */
function callSuccessor(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
  began_ms: number,
): unknown {
  const { timeout_ms } = options;
  const self = agent.current;
  const rest = (): number => (timeout_ms === NEVER ? NEVER : Math.max(0, began_ms + timeout_ms - now_ms()));
  const other = target.pool === null ? null : target.pool.any();
  if (other !== null && other !== target) {
    return callSync(other, method, name, { ...options, timeout_ms: timeout_ms > 0 ? rest() : timeout_ms }, args);
  }
  for (;;) {
    const found = awaitSuccessor(target, timeout_ms > 0 ? rest() : timeout_ms);
    if (found !== OK) throw failure(found, callingOf(target, name, options, began_ms));
    const selector = CALL | (method << TAG_METHOD_SHIFT) | put(target, name, options, args);
    const callbacks = functionsPut;
    const { id } = target;
    const left_ms = timeout_ms > 0 ? Math.max(1, rest()) : timeout_ms;
    const code = call(self, id, ANY_INDEX, selector, left_ms, left_ms > 0 ? REST : NEVER);
    if (code === NOT_TAKEN && !(carries(selector) && gaveAway)) continue;
    return finishSync(self, code, id, target, callingOf(target, name, options, began_ms, selector), callbacks);
  }
}

/** Call tcbs of this agent that no call uses. */
const pool: Tcb[] = [];
let poolMade = 0;
/** Targets with waiting calls, in the order in which they get the next free tcb. */
const starved: Target[] = [];

export const setCallsInFlight = (calls: number): void => {
  callsInFlight = calls;
};
let callsInFlight = CALLS_IN_FLIGHT;

/** A tcb for a call; 0 when all are in use, or the system has none left. */
export function takeCallTcb(): Tcb | 0 {
  const free = pool.pop();
  if (free !== undefined) return free;
  if (poolMade >= callsInFlight) return 0;
  const id = createThread(agent.task, agent.processor, false);
  if (id === 0) return 0;
  const tcb = tcbOf(id);
  if (!giveWindow(tcb, false)) {
    freeThread(tcb, holder());
    return 0;
  }
  poolMade++;
  return tcb;
}

/** Gives a call tcb back, to a call that waits for one if there is any. */
export function giveCallTcb(tcb: Tcb): void {
  poke(tcb + TCB_DEADLINE, 0);
  // A thread that calls for itself keeps its own.
  if (peek(tcb + TCB_TASK) === agent.taskId) pool.push(tcb);
  startWaiting();
}

/** Forgets the tcbs of a system that has ended. */
export function dropCallTcbs(): void {
  pool.length = 0;
  poolMade = 0;
  callsInFlight = CALLS_IN_FLIGHT;
  starved.length = 0;
}

/**
 * A promise that is rejected with `error`, whose stack goes on with the frames of who awaits it. V8 finds those by the
 * promise of the async function that runs, once the promise of the call depends on it: after its second turn. So a call
 * that succeeds pays nothing.
 */
async function rejectFromWithin(error: unknown, label: string | null): Promise<never> {
  await Promise.resolve();
  await Promise.resolve();
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, rejectFromWithin);
  const awaiting = here.stack ?? '';
  if (label !== null) throw joinStacks(error, label, awaiting);
  throw continueStack(error, awaiting);
}

let callsMade = 0;

/** A call of the event loop, from its making to its answer. */
class PendingCall implements Watcher, Entry {
  tcb = 0 as Tcb;
  /** In the queue of its target. */
  place = NOWHERE;
  polls = false;
  /** Of a call to a pool: an instance, as soon as one takes it. */
  target: Target;
  calling: Calling;
  /** Calls are numbered in the order in which they were made. */
  readonly number: number = ++callsMade;
  /** The server thread that the message went to. */
  to = 0 as ThreadId;
  readonly signal: AbortSignal | undefined;
  readonly callbacks: Callbacks;
  readonly byteOptions: ByteOptions | null;
  readonly resolve: (value: unknown) => void;
  private readonly tag: number;
  /** The message, while it waits for a tcb: words, and the bytes of a stream. */
  private words: number[] | null = null;
  private bytes: Uint8Array | null = null;
  private awaited = 0;
  /** The thread that answers, when it is not the target's server thread. */
  private answers = 0 as ThreadId;
  private closeUpcall: (() => void) | null = null;
  private onAbort: (() => void) | null = null;
  private isAskedFor = false;
  private timer: NodeJS.Timeout | null = null;
  /** The message whose answer is the promise of a callback that is under way. */
  private callback: { readonly from: ThreadId; readonly sequence: number } | null = null;
  private readonly deadline_ms: number;

  constructor(
    target: Target,
    calling: Calling,
    { signal, bytes }: Options,
    tag: number,
    resolve: (value: unknown) => void,
  ) {
    this.target = target;
    this.calling = calling;
    this.signal = signal;
    this.callbacks = functionsPut;
    this.byteOptions = bytes;
    this.tag = tag;
    this.resolve = resolve;
    this.deadline_ms = calling.timeout_ms > 0 ? calling.began_ms + calling.timeout_ms : NEVER;
  }

  /** Copies the message out of the registers: it has to wait. */
  keep(): void {
    const count = (this.tag & TAG_WORDS) << 1;
    // A plain array: a typed one has a buffer of its own, for a few words.
    const words: number[] = [];
    for (let i = 0; i < count; i++) words.push(registers[R_WORD + i]!);
    this.words = words;
    if ((this.tag & TAG_STRINGS) !== 0) this.bytes = outgoing[0]!.slice(0, registers[R_STRING]);
  }

  private restore(): void {
    const { words } = this;
    if (words !== null) for (let i = 0; i < words.length; i++) registers[R_WORD + i] = words[i]!;
    if (this.bytes !== null) {
      outgoing[0] = this.bytes;
      registers[R_STRING] = this.bytes.length;
    }
  }

  listenToSignal(): void {
    const { signal } = this;
    if (signal === undefined) return;
    this.onAbort = () => this.abort();
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  /** Sends the message, which is in the registers, by `tcb`. `goesBack`: who stands in the queue is not before it. */
  start(tcb: Tcb, time_ms: number, goesBack: boolean = lastInQueue(this.target) === 0): void {
    this.tcb = tcb;
    active.add(this);
    const { target } = this;
    target.inFlight++;
    this.to = target.id;
    if (this.calling.taskId !== target.taskId) this.calling = { ...this.calling, taskId: target.taskId };
    poke(tcb + TCB_SINCE, time_ms);
    this.send(tcb, goesBack);
  }

  private send(tcb: Tcb, goesBack: boolean): void {
    const { target } = this;
    const { timeout_ms } = this.calling;
    const back = goesBack ? this.sendBack(tcb) : null;
    const begun = back ?? startSend(tcb, target.id, ANY_INDEX, this.tag, timeout_ms, lastInQueue(target));
    this.awaited = registers[R_CALLED]!;
    if (begun === NOT_TAKEN && this.mayReturn()) {
      this.keep();
      this.comeBack();
      return;
    }
    if (begun !== OK && begun !== NOT_YET) {
      this.fail(failure(begun, this.calling));
      this.end();
      return;
    }
    this.polls = begun === NOT_YET;
    if (this.polls) target.untaken.push(this);
    if (this.polls && this.words === null && (inPieces(tcb, this.tag) || this.mayReturn())) this.keep();
    if (this.deadline_ms !== NEVER) setDeadline(tcb, this.deadline_ms);
    watch(this);
  }

  /** Sends to the thread of the task that waits for an answer of ours, if one does. Null: none took the message. */
  private sendBack(tcb: Tcb): Result | null {
    const request = blockedRequest(this.target.taskId);
    if (request === null) return null;
    const begun = startSend(tcb, request.sender, idOf(request.self) & INDEX_MASK, this.tag, 0);
    if (begun !== OK) return null;
    this.answers = request.sender;
    this.closeUpcall = holdAnswer(request);
    return OK;
  }

  /** Sends what stands in the queue of a server to the thread of its task that waits for an answer of ours. */
  divert(): void {
    const { tcb } = this;
    const state = load(tcb + TCB_STATE);
    if (blockedRequest(this.calling.taskId) === null || !this.isInQueue() || !withdraw(tcb, state)) return;
    this.leaveUntaken();
    unwatch(this);
    this.reload();
    // Should that thread have given up at this very moment, the call stands in the queue again, behind the others.
    this.send(tcb, true);
  }

  /** Whether it waits for being taken. */
  isInQueue(): boolean {
    return this.polls && (load(this.tcb + TCB_STATE) & KIND_MASK) === POLL;
  }

  /** Asks the thread that waits for us to serve it. */
  askForLine(): void {
    const tcb = this.isAskedFor ? 0 : takeCallTcb();
    if (tcb === 0) return;
    // Once: it is served then, or has been.
    this.isAskedFor = true;
    const calling = { ...this.calling, timeout_ms: NEVER };
    const tag = CALL | (METHOD_LINE << TAG_METHOD_SHIFT) | putArguments([], calling.taskId);
    // If it fails, so does this call.
    const ignore = (answer: unknown): void => void Promise.resolve(answer).catch(() => {});
    new PendingCall(this.target, calling, plainOptions(NEVER), tag, ignore).start(tcb, now_ms(), true);
  }

  /** Whether it is the last message that its server thread was given, and that thread may not have seen it. */
  isInLine(): boolean {
    const server = tcbOf(this.to);
    if (this.answers !== 0 || (load(this.tcb + TCB_STATE) & KIND_MASK) !== WAIT) return false;
    if ((load(server + TCB_STATE) & KIND_MASK) !== RUN || peek(server + TCB_SEQUENCE) !== this.awaited) return false;
    return peek(server + TCB_SENDER) === idOf(this.tcb);
  }

  /** Brings the message into the registers from where it lies for who takes it out of the queue. */
  private reload(): void {
    const { tcb } = this;
    if (this.words !== null) return this.restore();
    takeMessage(tcb);
    if ((this.tag & TAG_STRINGS) === 0) return;
    // Longer ones, which need not be whole in the window, are kept.
    const bytes = new Uint8Array(peek(tcb + TCB_STRING));
    takeBytes(peek(tcb + TCB_WINDOW), bytes, 0, bytes.length);
    outgoing[0] = bytes;
    registers[R_STRING] = bytes.length;
  }

  /** Waits in the heap for a tcb, within its timeout. */
  enqueue(): void {
    if (this.calling.timeout_ms === 0) {
      this.stopListening();
      this.fail(failure(SEND_TIMEOUT, this.calling));
      return;
    }
    this.keep();
    this.target.queue.add(this);
    if (this.target.queue.size === 1 && !starved.includes(this.target)) starved.push(this.target);
    if (this.deadline_ms === NEVER) return;
    this.timer = setTimeout(() => this.leaveQueue(failure(SEND_TIMEOUT, this.calling)), this.calling.timeout_ms);
  }

  /** What went over the side port went to the incarnation that is gone. */
  private mayReturn(): boolean {
    const isAgain = this.target.pool !== null || mayBeSucceeded(this.target.taskId);
    return isAgain && !carries(this.tag) && !isOwn(this.tcb);
  }

  /** Waits for the next incarnation of its task, which did not take it. */
  private comeBack(): void {
    const { tcb, target } = this;
    const { timeout_ms } = this.calling;
    active.delete(this);
    this.tcb = 0 as Tcb;
    target.inFlight--;
    if (target.pool !== null && target.pool.any() !== null) {
      // Another instance takes it, or the queue of the pool.
      this.target = target.pool.target;
      this.target.returned.add(this);
      sendReturned(this.target);
      target.pool.onShortage();
    } else {
      target.returned.add(this);
      seek(target);
    }
    if (this.tcb === 0 && this.isWaiting()) {
      const left_ms = this.deadline_ms === NEVER ? timeout_ms : Math.max(0, this.deadline_ms - now_ms());
      const late = (): void => this.leaveQueue(failure(SEND_TIMEOUT, this.calling));
      if (left_ms === 0) late();
      else if (left_ms !== NEVER) this.timer = setTimeout(late, left_ms);
    }
    giveCallTcb(tcb);
  }

  private isWaiting(): boolean {
    return this.place !== NOWHERE || this.target.returned.has(this);
  }

  private leaveQueue(error: unknown): void {
    if (!this.target.queue.delete(this) && !this.target.returned.delete(this)) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.stopListening();
    this.fail(error);
  }

  /** Begins after having waited for a tcb, or for an instance of a pool. */
  resume(tcb: Tcb, target: Target): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.target = target;
    this.restore();
    this.start(tcb, now_ms());
  }

  onTaken(): void {
    this.restore();
    // A failure shows as the answer.
    continueSend(this.tcb);
    this.leaveUntaken();
    goOn(this.target);
  }

  /** It stands in no queue any more. */
  private leaveUntaken(): void {
    const { untaken } = this.target;
    const at = untaken.indexOf(this);
    if (at >= 0) untaken.splice(at, 1);
  }

  onMessage(): void {
    const { tcb } = this;
    this.leaveUntaken();
    // Ended between its taking and its pieces, it owes them still: the receiver looks at nothing else.
    if (this.polls && peek(tcb + TCB_OUT_PIECES) !== 0) this.onTaken();
    this.polls = false;
    takeMessage(tcb);
    const code = finishMessage(tcb);
    const tag = registers[R_TAG]!;
    const kind = tag & TAG_KIND;
    if (code === OK && kind === CALL) {
      this.serveUpcall();
      return;
    }
    if (code === NOT_TAKEN && this.mayReturn()) {
      unwatch(this);
      this.comeBack();
      return;
    }
    if (code === RECEIVE_TIMEOUT || code === ABORTED) this.target.isSuspect = true;
    if (code === RECEIVE_TIMEOUT) this.outlived();
    let value: unknown;
    let failed = true;
    try {
      if (code !== OK) value = this.failure(code);
      else if (kind === ERROR) value = takeThrown(tcb, tag);
      else {
        const { byteOptions: bytes, calling } = this;
        value = bytes === null ? takeResult(tcb, tag) : takeResultInto(tcb, tag, bytes.placeFor(calling, false));
        failed = false;
      }
    } catch (error) {
      value = error;
    }
    unwatch(this);
    if (failed) this.fail(value, code === OK && kind === ERROR);
    else this.resolve(value);
    this.end();
  }

  /** Rejects the call. `isTheirs`: the callee threw it, and its stack is continued by that of who awaits the call. */
  private fail(error: unknown, isTheirs = false): void {
    const { task, method } = this.calling;
    // Who awaits the end of a task before it looks at what its calls came to hears of the end first.
    readAwaitedNews();
    this.resolve(rejectFromWithin(error, isTheirs ? `${task}.${method}` : null));
  }

  private outlived(): void {
    const { target, calling } = this;
    const isReplaced = outlived(calling.taskId, calling.timeout_ms);
    if (isReplaced && target.taskId === calling.taskId) target.id = NOBODY;
  }

  private failure(code: number): unknown {
    const { signal, calling } = this;
    if (code === ABORTED && signal !== undefined && signal.aborted) return abortedError(calling, signal);
    return failure(code, calling);
  }

  /** A callback that gives a promise keeps its caller waiting, not this loop. */
  private serveUpcall(): void {
    const { tcb } = this;
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    const answer = (tag: number): void => {
      // The call may have ended while the callback's promise was settled, or the system.
      if (!active.has(this)) return;
      this.callback = null;
      if (this.timer !== null) clearTimeout(this.timer);
      const awaitedOf = this.answers === 0 ? this.to : this.answers;
      poke(tcb + TCB_TAG, this.tag);
      const code = replyAndWaitFrom(tcb, from, sequence, tag, awaitedOf, this.awaited);
      if (code === OK) {
        watch(this);
        this.catchUp();
        return;
      }
      this.fail(failure(code, this.calling));
      this.end();
    };
    unwatch(this);
    const tag = serve(tcb, this.callbacks, false, answer);
    if (tag !== 0) answer(tag);
    else {
      this.callback = { from, sequence };
      this.lookAtCallback();
    }
    goOn(this.target);
  }

  /** What came due while a callback ran, and found no wait that it could have ended. */
  private catchUp(): void {
    if (this.signal !== undefined && this.signal.aborted) this.abort();
    else if (this.deadline_ms !== NEVER) setDeadline(this.tcb, Math.max(this.deadline_ms, now_ms() + 1));
  }

  /**
   * While the promise of a callback is not settled, nobody waits who could be told that the call is over: so it is
   * looked at from time to time.
   */
  private lookAtCallback(): void {
    if (this.callback === null) return;
    const left_ms = this.deadline_ms === NEVER ? Number.POSITIVE_INFINITY : this.deadline_ms - now_ms();
    if (this.signal !== undefined && this.signal.aborted) this.endInCallback(ABORTED);
    else if (left_ms <= 0) this.endInCallback(RECEIVE_TIMEOUT);
    else if (checkThread(this.callback.from) !== OK) this.endInCallback(PEER_GONE);
    else {
      this.timer = setTimeout(() => this.lookAtCallback(), Math.min(left_ms, LISTEN_SLICE_ms));
      if (this.deadline_ms === NEVER) this.timer.unref();
    }
  }

  /** Ends the call with a callback under way. Its caller, which waits for that, is told; what it gives is nobody's. */
  private endInCallback(code: Result): void {
    const { tcb, callback } = this;
    const error = this.failure(code);
    if (code !== PEER_GONE) {
      const { from, sequence } = callback!;
      const text = 'the call that this function belonged to has ended, and its promise is not waited for';
      const name = code === ABORTED ? 'ERR_IPC_ABORTED' : 'ERR_IPC_TIMEOUT';
      reply(tcb, from, sequence, putThrown(new IpcError(name, text), peek(tcbOf(from) + TCB_TASK)));
      this.target.isSuspect = true;
    }
    this.callback = null;
    if (code === RECEIVE_TIMEOUT) this.outlived();
    this.fail(error);
    this.end();
  }

  private abort(): void {
    if (this.tcb === 0) this.leaveQueue(abortedError(this.calling, this.signal!));
    else if (this.callback !== null) this.endInCallback(ABORTED);
    else if (cancel(this.tcb, ABORTED, holder())) this.onMessage();
    // A claim that lasts, for its holder's agent is off: it may be taken back.
    else if ((load(this.tcb + TCB_STATE) & KIND_MASK) === LOCK) setTimeout(() => active.has(this) && this.abort(), 1);
  }

  private stopListening(): void {
    if (this.onAbort !== null) this.signal!.removeEventListener('abort', this.onAbort);
    this.onAbort = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.callback = null;
  }

  /** Ends a call that no incarnation of the task has taken, and none will. */
  endUntaken(taskId: number = this.target.taskId): void {
    this.leaveQueue(failure(NOT_TAKEN, { ...this.calling, taskId }));
  }

  /** Ends the call with its system. Its tcb is gone. */
  endWithSystem(): void {
    if (this.tcb === 0) {
      this.leaveQueue(failure(PEER_GONE, this.calling));
      return;
    }
    active.delete(this);
    unwatch(this);
    this.stopListening();
    this.fail(failure(PEER_GONE, this.calling));
  }

  /** Ends a call whose thread is about to be ended. */
  endWithThread(): void {
    cancel(this.tcb, ABORTED, holder());
    unwatch(this);
    this.leaveUntaken();
    this.fail(failure(ABORTED, this.calling));
    this.end();
  }

  private end(): void {
    active.delete(this);
    this.stopListening();
    this.target.inFlight--;
    const { closeUpcall } = this;
    closeUpcall?.();
    // The next one to that thread is the first that stands in the queue.
    if (closeUpcall !== null) divert(this.calling.taskId);
    giveCallTcb(this.tcb);
    goOn(this.target);
  }
}

export type { PendingCall };

/** Calls that have been sent and not been answered. */
const active = new Set<PendingCall>();

/** Sends the first call that a blocked task has not seen yet to its thread that waits for us. */
function divert(taskId: number): void {
  if (peek(taskAt(taskId & INDEX_MASK) + TASK_ENTERED_ONCE) !== 0) return;
  let first: PendingCall | null = null;
  for (const call of active) {
    if (call.calling.taskId !== taskId) continue;
    if (call.isInLine()) call.askForLine();
    if (call.isInQueue() && (first === null || call.number < first.number)) first = call;
  }
  first?.divert();
}

whenBlocked(divert);

/** Whether a thread that is no standing one of its agent's task calls for itself, and waits with its own tcb. */
const isOwn = (tcb: Tcb): boolean =>
  tcb !== 0 && peek(tcb + TCB_HOME) === 0 && peek(tcb + TCB_TASK) !== agent.taskId && peek(tcb + TCB_TASK) !== 0;

/** Ends the call that a thread of this agent waits for with its own tcb. */
export function endCallOf(tcb: Tcb): void {
  for (const call of active) if (call.tcb === tcb) call.endWithThread();
}

/** Ends every call of the event loop: the system is shutting down. */
export function endCalls(): void {
  const targets = new Set([...starved, ...seeking.keys(), ...[...active].map(({ target }) => target)]);
  for (const { queue, returned } of targets) for (const call of [...queue.all(), ...returned]) call.endWithSystem();
  for (const call of active) call.endWithSystem();
  for (const timer of seeking.values()) clearTimeout(timer);
  seeking.clear();
}

/** Targets whose next incarnation is looked for, with the timer of the next look. */
const seeking = new Map<Target, NodeJS.Timeout>();
/** Time between two looks; doubled up to the second. */
const SEEK_MIN_ms = 1;
const SEEK_MAX_ms = 16;

/** Looks for the next incarnation of a task with calls that came back, until it is there or will never be. */
function seek(target: Target, pause_ms: number = SEEK_MIN_ms): void {
  if (pause_ms === SEEK_MIN_ms && seeking.has(target)) return;
  const found = retarget(target);
  if (found === COMING) {
    seeking.set(
      target,
      setTimeout(() => seek(target, Math.min(2 * pause_ms, SEEK_MAX_ms)), pause_ms),
    );
    return;
  }
  seeking.delete(target);
  if (found === FOUND) {
    if (!hasStrays(target)) sendReturned(target);
    return;
  }
  for (const call of [...target.returned, ...target.queue.all()]) call.endUntaken();
}

/** The calls that came back go first, in the order in which they were made. */
function sendReturned(target: Target): void {
  const returned = [...target.returned].sort((a, b) => a.number - b.number);
  const waiting = target.queue.all();
  target.returned.clear();
  for (const call of waiting) target.queue.delete(call);
  for (const call of [...returned, ...waiting]) target.queue.add(call);
  if (!starved.includes(target)) starved.push(target);
  startWaiting();
}

/** The last call that stands in the queue of its server, which the next one must not overtake: its tcb, or 0. */
function lastInQueue({ untaken }: Target): Tcb | 0 {
  for (let at = untaken.length - 1; at >= 0; at--) {
    const { tcb } = untaken[at]!;
    const kind = load(tcb + TCB_STATE) & KIND_MASK;
    if (kind === POLL) return tcb;
    // It was taken, and so were all before it. One that the kernel ended, with a message of its own, says nothing.
    if (kind === WAIT || (kind === RUN && peek(tcb + TCB_SENDER) !== 0)) return 0;
  }
  return 0;
}

/**
 * Whether calls may come back from an incarnation of before: what was made after them waits, or it would be with the
 * present one earlier than they are.
 */
const hasStrays = ({ id, untaken }: Target): boolean => untaken.length > 0 && untaken[0]!.to !== id;

/** Lets those go on that waited for a call which was with an incarnation of before. */
function goOn(target: Target): void {
  if (target.returned.size === 0 && target.queue.size === 0) return;
  if (hasStrays(target)) return;
  if (target.returned.size > 0) seek(target);
  else startWaiting();
}

let isStarting = false;
let startAgain = false;

/** Gives free call tcbs to calls that wait, one task after the other. */
export function startWaiting(): void {
  // A call that fails at once gives its tcb back on this very stack: 100,000 of them must not nest.
  startAgain = true;
  if (isStarting) return;
  isStarting = true;
  while (startAgain) startAgain = startOneOfEach();
  isStarting = false;
}

/** False: there is no call left that may be started, or no tcb for it. */
function startOneOfEach(): boolean {
  let started = false;
  for (let tries = starved.length; tries > 0; tries--) {
    const target = starved.shift()!;
    const next = target.queue.first();
    if (next === undefined) continue;
    starved.push(target);
    if (target.inFlight >= IN_FLIGHT_PER_TARGET || target.returned.size > 0 || hasStrays(target)) continue;
    const to = target.pool?.target === target ? target.pool.pick() : target;
    if (to === null) continue;
    const tcb = takeCallTcb();
    if (tcb === 0) return false;
    target.queue.delete(next);
    next.resume(tcb, to);
    started = true;
  }
  return started;
}

/**
 * A call of the event loop to `target`, its message in the registers, put there for `to`: the target itself, or an
 * instance of it that is a pool's. Throws what keeps it from being made.
 */
function makePending(
  target: Target,
  to: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
  resolve: (value: unknown) => void,
): PendingCall {
  const { signal } = options;
  const calling = callingOf(target, name, options, now_ms());
  if (signal !== undefined && signal.aborted) throw abortedError(calling, signal);
  if (!isAttached()) throw new IpcError('ERR_IPC_SHUTDOWN', `${target.name}.${name}(): its system has ended`);
  const tag = CALL | (method << TAG_METHOD_SHIFT) | put(to, name, options, args);
  // What goes over a side port is with one instance already.
  return new PendingCall(carries(tag) ? to : target, calling, options, tag, resolve);
}

/** Calls method number `method` of the task; the promise settles with its answer. */
export function callAsync(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
): Promise<unknown> {
  if (trace.isWanted()) return trace.async(callAsync, target, method, name, options, args);
  return new Promise((resolve) => {
    const pending = makePending(target, target, method, name, options, args, resolve);
    const { calling } = pending;
    const isFirst = target.queue.size === 0 && target.returned.size === 0 && !hasStrays(target);
    const isFree = isFirst && target.inFlight < IN_FLIGHT_PER_TARGET;
    const self = agent.current;
    const tcb = isOwn(self) ? self : isFree ? takeCallTcb() : 0;
    if (tcb === 0 && poolMade === 0) throw failure(LIMIT, calling);
    pending.listenToSignal();
    if (tcb === 0) pending.enqueue();
    else pending.start(tcb, calling.began_ms);
  });
}

/** A call in place to a pool. */
export function callPoolSync(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
): unknown {
  const pool = target.pool!;
  const free = pool.isOver() ? pool.last() : pool.pick();
  return free === null
    ? callBusyPool(target, method, name, options, args)
    : callSync(free, method, name, options, args);
}

/** The same with byte options. */
export function callPoolSyncBytes(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
): unknown {
  const free = target.pool!.pick();
  if (free !== null) return callSyncBytes(free, method, name, options, args);
  options.bytes!.begin();
  const value = callPoolSync(target, method, name, options, args);
  return options.bytes!.place(value, { task: target.name, method: name });
}

/** How long a call in place stands in the queue of one instance: time enough to be seen in a ring of waits. */
const QUEUE_SLICE_ms = 250;

/** A call in place to a pool none of whose instances is free: it stands in their queues in turn, for one may hang. */
function callBusyPool(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
): unknown {
  if (trace.isWanted()) return trace.sync(callBusyPool, target, method, name, options, args);
  const { timeout_ms, signal } = options;
  const self = agent.current;
  const pool = target.pool!;
  const began_ms = now_ms();
  if (signal !== undefined && signal.aborted) throw abortedError(callingOf(target, name, options), signal);
  pool.onShortage();
  for (let turn = 0; ; turn++) {
    const to = pool.inTurn(turn);
    if (to === null) return callSync(pool.last(), method, name, options, args);
    const left_ms = timeout_ms > 0 ? Math.max(1, began_ms + timeout_ms - now_ms()) : timeout_ms;
    const back = callWaiting(to.taskId, method, name, args, left_ms, target.name);
    if (back !== null) return back.value;
    const selector = CALL | (method << TAG_METHOD_SHIFT) | put(to, name, options, args);
    const callbacks = functionsPut;
    const { id } = to;
    // What went over a side port is with this one.
    const isBound = carries(selector);
    const isWhole = isBound || (left_ms !== NEVER && left_ms <= QUEUE_SLICE_ms);
    const code = call(self, id, ANY_INDEX, selector, isWhole ? left_ms : QUEUE_SLICE_ms, left_ms);
    if (!isBound && (code === NOT_TAKEN || (code === SEND_TIMEOUT && !isWhole))) continue;
    return finishSync(
      self,
      code,
      id,
      to,
      { ...callingOf(to, name, options, began_ms, selector), task: target.name },
      callbacks,
    );
  }
}

/** A call of the event loop to a pool: to an instance that is free, else it waits for the first that is. */
export function callPool(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
): Promise<unknown> {
  const pool = target.pool!;
  const free = pool.isOver() ? pool.last() : target.queue.size === 0 ? pool.pick() : null;
  return free === null
    ? queueInPool(target, method, name, options, args)
    : callAsync(free, method, name, options, args);
}

function queueInPool(
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
): Promise<unknown> {
  if (trace.isWanted()) return trace.async(queueInPool, target, method, name, options, args);
  return new Promise((resolve) => {
    const pool = target.pool!;
    const to = pool.any() ?? pool.last();
    const pending = makePending(target, to, method, name, options, args, resolve);
    pending.listenToSignal();
    const tcb = pending.target === to ? takeCallTcb() : 0;
    if (tcb === 0) pending.enqueue();
    else pending.start(tcb, pending.calling.began_ms);
    pool.onShortage();
  });
}
