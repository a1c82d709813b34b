/**
 * Generator threads: threads of a task that share its agent, each a generator that yields one ipc operation after the
 * other. The dispatcher resumes whoever has its result; between turns the event loop runs. They never block the agent,
 * and while something else blocks it they stand still.
 *
 * A thread belongs to the task that started it. It ends when its generator returns or throws; whoever waits for it then
 * is told PEER_GONE. Invariant: as long as the generator lives, the thread is known here.
 */
import { load, peek, registers, store } from '#atomics';
import { now_ms, wait } from '#wait';
import { dispatch, endBody, hasBody, startBody, waitsAbroad } from '../kernel/dispatch.ts';
import { cancel, endWait } from '../kernel/fault.ts';
import { awaitMessage, continueSend, startReceive, startSend } from '../kernel/ipc-slow.ts';
import { withdraw } from '../kernel/park.ts';
import { createThread, freeThread, giveWindow } from '../kernel/tcb.ts';
import { stringsIn } from '../kernel/transfer.ts';
import { endHomeWait, nextWakeup } from '../kernel/wakeup.ts';
import { HEADER_THREADS_MAX } from '../layout/map.ts';
import {
  ABORTED,
  DEADLOCK,
  NEVER,
  NOT_TAKEN,
  NOT_YET,
  OK,
  OP_CALL,
  OP_RECEIVE,
  OP_REPLY_AND_RECEIVE,
  OP_SEND,
  OP_YIELD,
  PEER_GONE,
  R_RECEIVE_TIMEOUT,
  R_SEND_TIMEOUT,
  R_SENDER,
  R_SEQUENCE,
  R_STRING,
  R_TAG,
  R_TARGET,
  RECEIVE_TIMEOUT,
  REPLY,
  type Result,
  SEND_TIMEOUT,
} from '../layout/message.ts';
import { ANY_INDEX, INDEX_MASK } from '../layout/params.ts';
import type { Brand } from '../layout/tcb.ts';
import {
  DEAD,
  HOME_POLL,
  HOME_WAIT,
  homeWaiting,
  KIND_MASK,
  POLL,
  RUN,
  type Tcb,
  TCB_HOME,
  TCB_PROCESSOR,
  TCB_STATE,
  TCB_TAKEN,
  TCB_WINDOW_BYTES,
  tcbAt,
  tcbOf,
  type ThreadId,
  WAIT,
} from '../layout/tcb.ts';
import { agent, holder, idOf } from './agent.ts';
import { tickNow } from './clock.ts';
import { scheduleTurn, setMultiplexes } from './loop.ts';
import { queueMicrotask } from '../platform/timers.ts';

/** What a generator thread yields: made by `operation`, and good for the next `yield` only. */
export type Operation = Brand<number, 'Operation'>;
/** What a generator thread is: it yields operations, and each `yield` gives the operation's result. */
export type ThreadBody = () => Generator<Operation, void, Result>;

/** Timeouts go to timers of Node, which know no longer ones. */
const TIMEOUT_MAX_ms = 2 ** 31 - 1;
/** Pause between two looks of ordinary code that waits for threads of its own agent. */
const NAP_ms = 1;

const alive = new Set<Tcb>();
/** Threads whose generators have ended, and who may still be waited for. */
const ended: Tcb[] = [];

/** Starts a thread of this agent's task. It runs when the event loop next turns. */
export function startThread(body: ThreadBody): ThreadId {
  const generator: unknown = typeof body === 'function' ? body() : undefined;
  if (!isGenerator(generator)) throw new TypeError('startThread() takes a generator function: function* () { … }');
  const id = createThread(agent.task, agent.processor, true);
  const tcb = tcbOf(id);
  if (id === 0 || !giveWindow(tcb, false)) {
    if (id !== 0) freeThread(tcb, holder());
    throw new RangeError(
      'the system has all the threads, or window memory, it may have: boot({ limits }) sets how many',
    );
  }
  alive.add(tcb);
  setMultiplexes(true);
  startBody(agent.processor, tcb, { next: (...given) => step(tcb, generator, given[0] ?? OK) });
  scheduleTurn();
  return id;
}

const isGenerator = (value: unknown): value is ReturnType<ThreadBody> =>
  Object.prototype.toString.call(value) === '[object Generator]';

/** Runs a thread up to its next operation, as what `agent.current` says. What it throws ends it, and is nobody's. */
function step(tcb: Tcb, generator: ReturnType<ThreadBody>, result: Result): IteratorResult<number> {
  const outer = agent.current;
  agent.current = tcb;
  try {
    const { done, value } = generator.next(result);
    if (done !== true) {
      if (value >= OP_CALL && value <= OP_YIELD) return { done: false, value };
      throw new TypeError('a generator thread yields what operation.call() and the like have made, and nothing else');
    }
  } catch (error) {
    // Not from here: the other threads of the turn have done nothing wrong.
    queueMicrotask(() => {
      throw error;
    });
  } finally {
    agent.current = outer;
  }
  ended.push(tcb);
  // When the dispatcher has let go of it.
  queueMicrotask(endThreads);
  return { done: true, value: 0 };
}

/** Ends the threads whose generators have ended: who waits for one is told, and the records are given back. */
function endThreads(): void {
  for (const tcb of ended.splice(0)) if (alive.delete(tcb)) endThread(tcb);
  setMultiplexes(alive.size > 0);
}

function endThread(tcb: Tcb): void {
  // Nobody claims a thread that waits for itself, and only its own processor changes its state.
  store(tcb + TCB_STATE, DEAD);
  const index = idOf(tcb) & INDEX_MASK;
  for (let i = 1; i <= peek(HEADER_THREADS_MAX); i++) {
    if (peek(tcbAt(i) + TCB_TAKEN) !== 0) while (!isAnswered(tcbAt(i), index));
  }
  endBody(tcb);
  freeThread(tcb, holder());
}

/** Ends the wait of a thread for the dead one of this index, if that is what it does. False: its state has changed. */
function isAnswered(tcb: Tcb, dead: number): boolean {
  const state = load(tcb + TCB_STATE);
  const kind = state & KIND_MASK;
  if ((state & INDEX_MASK) !== dead) return true;
  const code = kind === POLL || kind === HOME_POLL ? NOT_TAKEN : PEER_GONE;
  if (kind === WAIT || kind === POLL) return endWait(tcb, state, code, holder());
  if (kind === HOME_WAIT || kind === HOME_POLL) {
    endHomeWait(agent.processor, tcb, code);
    scheduleTurn();
  }
  return true;
}

/** Forgets all threads: the agent leaves its system, whose end gives their records back. */
export function stopThreads(): void {
  for (const tcb of alive) endBody(tcb);
  alive.clear();
  ended.length = 0;
  setMultiplexes(false);
}

/** Whether a thread is one of this agent's generator threads. */
export function isGeneratorThread(id: number): boolean {
  if (ended.length > 0) endThreads();
  return alive.size > 0 && idOf(tcbOf(id)) === id && hasBody(tcbOf(id));
}

/** Ends the wait of a thread of this system; one of this agent's then gets its turn. False: it did not wait. */
export function cancelWait(id: ThreadId): boolean {
  const tcb = tcbOf(id);
  if (idOf(tcb) !== id || !cancel(tcb, ABORTED, holder())) return false;
  if (hasBody(tcb)) scheduleTurn();
  return true;
}

function timeout(value_ms: number): number {
  if (value_ms === Number.POSITIVE_INFINITY || value_ms > TIMEOUT_MAX_ms) return NEVER;
  if (value_ms >= NEVER) return Math.ceil(value_ms);
  throw new RangeError(`a timeout is ${value_ms}; it must be milliseconds, or NEVER (${NEVER})`);
}

/**
 * Refuses strings that would not arrive. Within a processor messages move in registers, and no piece of a long one
 * could be taken while its sender puts it in.
 */
export function checkStrings(to: ThreadId, tag: number): void {
  if (stringsIn(tag) === 0) return;
  const partner = tcbOf(to);
  const isHere = peek(partner + TCB_PROCESSOR) === peek(agent.current + TCB_PROCESSOR);
  if (isHere && peek(partner + TCB_HOME) !== 0 && peek(agent.current + TCB_HOME) !== 0) {
    throw new RangeError('strings do not go between two threads of one agent; they share its heap');
  }
  const limit = peek((isHere ? partner : agent.current) + TCB_WINDOW_BYTES);
  let length = 0;
  for (let i = 0; i < stringsIn(tag); i++) length += registers[R_STRING + i]!;
  if (length > limit) throw new RangeError(`the strings are ${length} bytes; here they must fit a window of ${limit}`);
}

function prepare(to: ThreadId | 0, tag: number, send_ms: number, receive_ms: number): void {
  registers[R_SEND_TIMEOUT] = timeout(send_ms);
  registers[R_RECEIVE_TIMEOUT] = timeout(receive_ms);
  registers[R_SENDER] = to;
  registers[R_TAG] = tag;
}

/** The operations of generator threads: `const result = yield operation.call(to, makeTag(1))`. */
export const operation = {
  /** As `call`: sends the message of the registers and waits for the answer. */
  call(to: ThreadId, tag: number, sendTimeout_ms: number = NEVER, receiveTimeout_ms: number = NEVER): Operation {
    checkStrings(to, tag);
    prepare(to, tag, sendTimeout_ms, receiveTimeout_ms);
    return OP_CALL as Operation;
  },
  /** As `send`. */
  send(to: ThreadId, tag: number, timeout_ms: number = NEVER): Operation {
    checkStrings(to, tag);
    prepare(to, tag, timeout_ms, NEVER);
    return OP_SEND as Operation;
  },
  /** As `receive`. */
  receive(from: ThreadId | 0 = 0, timeout_ms: number = NEVER): Operation {
    prepare(from, 0, NEVER, timeout_ms);
    return OP_RECEIVE as Operation;
  },
  /** As `replyAndReceive`. */
  replyAndReceive(to: ThreadId, sequence: number, tag: number, timeout_ms: number = NEVER): Operation {
    if (peek(tcbOf(to) + TCB_PROCESSOR) === peek(agent.current + TCB_PROCESSOR)) checkStrings(to, tag);
    prepare(to, tag | REPLY, NEVER, timeout_ms);
    registers[R_SEQUENCE] = sequence;
    return OP_REPLY_AND_RECEIVE as Operation;
  },
  /** Waits for so long: a receive from itself, whom nobody can be. The result is RECEIVE_TIMEOUT, or ABORTED. */
  sleep(time_ms: number): Operation {
    prepare(idOf(agent.current), 0, NEVER, Math.max(0, time_ms));
    return OP_RECEIVE as Operation;
  },
  /** Lets the other threads that are ready run first. */
  giveWay(): Operation {
    return OP_YIELD as Operation;
  },
};

/** As `send` or `call`, of ordinary code, to a generator thread of its own agent. */
export function sendToThread(self: Tcb, to: ThreadId, tag: number, send_ms: number, receive_ms: number): Result {
  checkStrings(to, tag);
  // It takes the message in its next turn, if it waits; with a timeout of 0 it must.
  const asks = send_ms === 0 && peek(tcbOf(to) + TCB_STATE) !== homeWaiting(to, ANY_INDEX);
  const begun = startSend(self, to, ANY_INDEX, tag, asks ? 0 : NEVER);
  if (begun !== OK && begun !== NOT_YET) return begun;
  return awaitThreads(self, send_ms, receive_ms, begun === NOT_YET ? registers[R_TARGET]! : 0);
}

/** As `receive`, of ordinary code, from a generator thread of its own agent. */
export function receiveFromThread(self: Tcb, from: ThreadId, timeout_ms: number): Result {
  const begun = startReceive(self, from);
  return begun === OK || begun === NOT_YET ? awaitThreads(self, NEVER, timeout_ms, 0) : begun;
}

/**
 * The wait of ordinary code for generator threads of its own agent, after a send or call that has begun: lets them run
 * until they have taken or answered it. DEADLOCK: all of them wait, and nothing to come can make one go on.
 */
function awaitThreads(self: Tcb, sendTimeout_ms: number, receiveTimeout_ms: number, target: number): Result {
  const { processor } = agent;
  let began_ms = now_ms();
  for (;;) {
    const isBusy = dispatch(processor, 0);
    endThreads();
    const state = load(self + TCB_STATE);
    const kind = state & KIND_MASK;
    if (kind === RUN) return awaitMessage(self, sendTimeout_ms, receiveTimeout_ms, target);
    if (kind === WAIT && target !== 0) {
      continueSend(self);
      target = 0;
      began_ms = now_ms();
    }
    const time_ms = now_ms();
    const limit_ms = target !== 0 ? sendTimeout_ms : receiveTimeout_ms;
    if (limit_ms >= 0 && time_ms - began_ms >= limit_ms && withdraw(self, state)) {
      return target !== 0 ? SEND_TIMEOUT : RECEIVE_TIMEOUT;
    }
    if (isBusy) continue;
    if (limit_ms < 0 && !waitsAbroad() && nextWakeup(processor, time_ms) === 0 && withdraw(self, state))
      return DEADLOCK;
    wait(self + TCB_STATE, state, NAP_ms);
    tickNow();
  }
}
