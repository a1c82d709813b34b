/**
 * Threads multiplexed on one processor: local tasks. They share an agent, so exactly one runs at a time, and only this
 * processor changes their states: plain loads and stores, no atomic operation on the way.
 *
 * A generator thread puts an operation into the registers and yields its number; the dispatcher performs it and resumes
 * who comes next. `call` to a partner that waits is a direct process switch (paper 5.3.5): no queue is touched and the
 * message stays in the registers. A passive thread is a function, run on its caller's stack. Senders of other
 * processors come through the inbox. The event loop runs when the dispatcher's turn is used up; calls donate theirs.
 */
import { compareExchange, load, peek, poke, registers } from '#atomics';
import { now_ms } from '#wait';
import {
  CALL,
  CUT,
  DEADLOCK,
  DENIED,
  NEVER,
  NOT_YET,
  OK,
  OP_CALL,
  OP_RECEIVE,
  OP_REPLY_AND_RECEIVE,
  OP_SEND,
  OP_YIELD,
  R_CUT,
  R_RECEIVE_TIMEOUT,
  R_SEND_TIMEOUT,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  RECEIVE_TIMEOUT,
  REST,
  type Result,
  SEND,
  SEND_TIMEOUT,
  TAG_KIND,
} from '../layout/message.ts';
import { ANY_INDEX, INDEX_MASK, TURN_SWITCHES } from '../layout/params.ts';
import { type Processor, PROCESSOR_INBOX, PROCESSOR_TASK, TASK_CALLER, taskAt } from '../layout/task.ts';
import type { Tcb, ThreadId } from '../layout/tcb.ts';
import {
  HOME_WAIT,
  homePolling,
  homeWaiting,
  indexOfTcb,
  KIND_MASK,
  PARKED,
  POLL,
  running,
  TCB_BELL,
  TCB_DEADLINE,
  TCB_HOME,
  TCB_ID,
  TCB_OUT_CUT,
  TCB_PENDING,
  TCB_PROCESSOR,
  TCB_QUEUE_FIRST,
  TCB_RECEIVE_TIMEOUT,
  TCB_SENDER,
  TCB_SEQUENCE,
  TCB_STATE,
  TCB_TAG,
  tcbAt,
  tcbOf,
  WAIT,
} from '../layout/tcb.ts';
import { sameClan } from './clan.ts';
import { checkThread, claimPoller, finishMessage, notTaken, pull, reply, startSend } from './ipc-slow.ts';
import { doorbellOf } from './park.ts';
import { dequeue, enqueue, findInQueue, passOn, queueOf } from './queue.ts';
import { insertReady, takeReady } from './ready.ts';
import { countSent, nextSequence, pullMessage, putMessage, takeMessage } from './transfer.ts';
import { endHomeWait, setWakeup } from './wakeup.ts';

/** A generator thread: yields operations, is given results. */
export type Body = Iterator<number, unknown, Result>;
/** A passive thread: takes the call in the registers, leaves the answer there, gives its tag; 0: it comes later. */
export type Passive = (tag: number) => number;

const bodies: (Body | undefined)[] = [];
const passives: (Passive | undefined)[] = [];
/** Threads of this processor that wait for one elsewhere: their states are looked at each turn. */
const abroad: Tcb[] = [];

/** Makes `tcb`, a home thread of this agent, run this generator when it is next its turn. */
export function startBody(processor: Processor, tcb: Tcb, body: Body): void {
  bodies[indexOfTcb(tcb)] = body;
  insertReady(processor, tcb);
}

/** Makes `tcb` a passive thread, open to calls. */
export function startPassive(tcb: Tcb, handler: Passive): void {
  passives[indexOfTcb(tcb)] = handler;
  poke(tcb + TCB_STATE, homeWaiting(peek(tcb + TCB_ID), ANY_INDEX));
}

/** Whether `tcb` is a generator thread of this agent. */
export const hasBody = (tcb: Tcb): boolean => bodies[indexOfTcb(tcb)] !== undefined;

/** Forgets the code of a thread that has ended. */
export function endBody(tcb: Tcb): void {
  bodies[indexOfTcb(tcb)] = undefined;
  passives[indexOfTcb(tcb)] = undefined;
  if (abroad.includes(tcb)) abroad.splice(abroad.indexOf(tcb), 1);
}

/**
 * Calls a passive thread of the own processor on this stack. DEADLOCK: it is being called already, by ourselves or by
 * one who waits for us. The callee's handler sees the caller in R_SENDER and answers in the registers.
 */
export function callPassive(self: Tcb, to: ThreadId, tag: number): Result {
  const partner = tcbOf(to);
  const handler = passives[to & INDEX_MASK];
  if (handler === undefined || peek(partner + TCB_ID) !== to) return notTaken(checkThread(to)) || DEADLOCK;
  const opened = homeWaiting(to, ANY_INDEX);
  if (peek(partner + TCB_STATE) !== opened) return DEADLOCK;
  if (!sameClan(self, partner)) return DENIED;
  const me = peek(self + TCB_ID);
  poke(self + TCB_STATE, homeWaiting(me, to));
  poke(partner + TCB_STATE, running(to));
  registers[R_SENDER] = me;
  registers[R_TAG] = tag;
  countSent(self);
  registers[R_TAG] = handler(tag);
  registers[R_SENDER] = to;
  // Either may have been ended by what the handler did, and stays so.
  if (peek(partner + TCB_STATE) === running(to)) poke(partner + TCB_STATE, opened);
  if (peek(self + TCB_STATE) === homeWaiting(me, to)) poke(self + TCB_STATE, running(me));
  return OK;
}

/** Whether `to` is a thread that this agent multiplexes and calls without a processor switch. */
export const isPassiveHere = (to: ThreadId): boolean => passives[to & INDEX_MASK] !== undefined;

/**
 * Runs ready threads until none is left, `until` (an index, or 0) runs again, or the turn is used up. Returns whether
 * there is more to do at once.
 */
export function dispatch(processor: Processor, until: number): boolean {
  let current = takeReady(processor);
  for (let switches = TURN_SWITCHES; switches > 0; switches--) {
    if (current === until && until !== 0) return true;
    if (current === 0) {
      if (!lookAbroad(processor) && !drainInbox(processor)) return false;
      current = takeReady(processor);
      continue;
    }
    current = step(processor, current) || takeReady(processor);
  }
  if (current !== 0) insertReady(processor, tcbAt(current));
  return true;
}

/** Resumes one thread, performs what it yields, and returns who runs next: an index, or 0 for the ready queue. */
function step(processor: Processor, index: number): number {
  const self = tcbAt(index);
  const result: Result = peek(self + TCB_PENDING) === 0 ? OK : takePending(self);
  const body = bodies[index];
  if (body === undefined) return servePassive(processor, self, index);
  const step = body.next(result);
  if (step.done === true) {
    endBody(self);
    poke(self + TCB_STATE, homeWaiting(peek(self + TCB_ID), peek(self + TCB_ID)));
    return 0;
  }
  const op = step.value;
  if (op === OP_CALL) return performSend(processor, self, index, CALL);
  if (op === OP_REPLY_AND_RECEIVE) return performReplyAndReceive(processor, self, index);
  if (op === OP_SEND) return performSend(processor, self, index, SEND);
  if (op === OP_RECEIVE) return performReceive(processor, self, registers[R_SENDER]!);
  if (op === OP_YIELD) insertReady(processor, self);
  return 0;
}

/** The message, or the kernel's result, that came while the thread did not run. */
function takePending(self: Tcb): Result {
  poke(self + TCB_PENDING, 0);
  takeMessage(self);
  return finishMessage(self);
}

/** Wakes `self` with a result code at its next turn. */
function refuse(processor: Processor, self: Tcb, code: Result): number {
  endHomeWait(processor, self, code);
  return 0;
}

/** Whether the state of a thread is ours to change: it is multiplexed on this processor, and of our clan. */
const isNear = (self: Tcb, partner: Tcb): boolean =>
  peek(partner + TCB_PROCESSOR) === peek(self + TCB_PROCESSOR) && sameClan(self, partner);

/** A send, or a call when `kind` says so. */
function performSend(processor: Processor, self: Tcb, index: number, kind: number): number {
  const to = registers[R_SENDER]!;
  const partner = tcbOf(to);
  const state = peek(partner + TCB_STATE);
  const tag = (registers[R_TAG]! & ~TAG_KIND) | kind;
  if ((state !== homeWaiting(to, ANY_INDEX) && state !== homeWaiting(to, index)) || !isNear(self, partner)) {
    return performSlow(processor, self, to as ThreadId, tag);
  }
  // The direct switch: the message stays in the registers, no queue is touched.
  const me = peek(self + TCB_ID);
  poke(partner + TCB_STATE, running(to));
  registers[R_SENDER] = me;
  registers[R_TAG] = tag;
  countSent(self);
  if (kind === CALL) {
    const sequence = nextSequence();
    poke(self + TCB_SEQUENCE, sequence);
    poke(self + TCB_STATE, homeWaiting(me, to));
    registers[R_SEQUENCE] = sequence;
    limitWait(processor, self, registers[R_RECEIVE_TIMEOUT]!);
  } else {
    // A sender stays ready: one of the few times that a thread enters the ready queue.
    insertReady(processor, self);
  }
  return to & INDEX_MASK;
}

/** A send or call to a partner that does not wait here: it polls, or goes to another processor. */
function performSlow(processor: Processor, self: Tcb, to: ThreadId, tag: number): number {
  const me = peek(self + TCB_ID);
  if (to === me) return refuse(processor, self, DEADLOCK);
  const known = checkThread(to);
  if (known !== OK) return refuse(processor, self, notTaken(known));
  const partner = tcbOf(to);
  const sendTimeout_ms = registers[R_SEND_TIMEOUT]!;
  if (peek(partner + TCB_HOME) === 0 || peek(partner + TCB_PROCESSOR) !== peek(self + TCB_PROCESSOR)) {
    const begun = startSend(self, to, ANY_INDEX, tag, sendTimeout_ms);
    if (begun !== OK && begun !== NOT_YET) return refuse(processor, self, begun);
    if (begun === OK && (tag & TAG_KIND) !== CALL) return refuse(processor, self, registers[R_CUT] === 0 ? OK : CUT);
    poke(self + TCB_BELL, doorbellOf(self));
    if (begun === OK) poke(self + TCB_RECEIVE_TIMEOUT, REST);
    limitWait(processor, self, begun === OK ? registers[R_RECEIVE_TIMEOUT]! : sendTimeout_ms);
    abroad.push(self);
    return 0;
  }
  if (!sameClan(self, partner)) return refuse(processor, self, DENIED);
  if (sendTimeout_ms === 0) return refuse(processor, self, SEND_TIMEOUT);
  putMessage(self, me, tag, nextSequence());
  poke(self + TCB_STATE, homePolling(me, to));
  enqueue(queueOf(partner), self);
  poke(self + TCB_RECEIVE_TIMEOUT, registers[R_RECEIVE_TIMEOUT]!);
  limitWait(processor, self, sendTimeout_ms);
  return 0;
}

function performReplyAndReceive(processor: Processor, self: Tcb, index: number): number {
  const to = registers[R_SENDER]!;
  const partner = tcbOf(to);
  const me = peek(self + TCB_ID);
  const awaits = peek(partner + TCB_STATE) === homeWaiting(to, index) && isNear(self, partner);
  const answered = awaits && peek(partner + TCB_SEQUENCE) === registers[R_SEQUENCE];
  if (answered && peek(self + TCB_QUEUE_FIRST) === 0) {
    poke(partner + TCB_STATE, running(to));
    poke(self + TCB_STATE, homeWaiting(me, ANY_INDEX));
    registers[R_SENDER] = me;
    countSent(self);
    limitWait(processor, self, registers[R_RECEIVE_TIMEOUT]!);
    return to & INDEX_MASK;
  }
  if (!answered) {
    reply(self, to as ThreadId, registers[R_SEQUENCE]!, registers[R_TAG]!);
    return performReceive(processor, self, 0);
  }
  // C before A: the ipc of who polls for us begins before the answered caller continues (paper 5.3.5).
  putMessage(partner, me, registers[R_TAG]!, registers[R_SEQUENCE]!);
  poke(partner + TCB_PENDING, 1);
  countSent(self);
  performReceive(processor, self, 0);
  poke(partner + TCB_STATE, running(to));
  return to & INDEX_MASK;
}

/** Takes the next message for `self` out of its queue, or lets it wait. Never runs it on the spot. */
function performReceive(processor: Processor, self: Tcb, from: number): number {
  if (takeQueued(processor, self, from)) return 0;
  if (from !== 0 && checkThread(from) !== OK) return refuse(processor, self, checkThread(from));
  const timeout_ms = registers[R_RECEIVE_TIMEOUT]!;
  if (timeout_ms === 0) return refuse(processor, self, RECEIVE_TIMEOUT);
  poke(self + TCB_STATE, homeWaiting(peek(self + TCB_ID), from === 0 ? ANY_INDEX : from));
  limitWait(processor, self, timeout_ms);
  return 0;
}

/** Takes a message for `self`, from anybody when `from` is 0, out of its queue: it is ready then. */
function takeQueued(processor: Processor, self: Tcb, from: number): boolean {
  const me = peek(self + TCB_ID);
  const holder = me & INDEX_MASK;
  for (;;) {
    const index = from === 0 ? dequeue(queueOf(self), holder) : findInQueue(queueOf(self), from, holder);
    if (index === 0) return false;
    if (!acceptPoller(processor, self, tcbAt(index))) continue;
    poke(self + TCB_PENDING, 1);
    poke(self + TCB_STATE, running(me));
    insertReady(processor, self);
    return true;
  }
}

/** Moves the message of a polling sender, of this processor or another, into `self`'s line. False: it polls no more. */
function acceptPoller(processor: Processor, self: Tcb, sender: Tcb): boolean {
  const me = peek(self + TCB_ID);
  const id = peek(sender + TCB_ID);
  if (peek(sender + TCB_STATE) === homePolling(id, me)) {
    pullMessage(self, sender);
    countSent(sender);
    if ((peek(sender + TCB_TAG) & TAG_KIND) === CALL) {
      poke(sender + TCB_STATE, homeWaiting(id, me));
      limitWait(processor, sender, peek(sender + TCB_RECEIVE_TIMEOUT));
    } else {
      poke(sender + TCB_STATE, running(id));
      insertReady(processor, sender);
    }
    return true;
  }
  if (!claimPoller(sender, id, me)) return false;
  pull(self, sender);
  return true;
}

/** Lets senders of other processors stand in the queues of the threads they want; who waits for one takes it. */
export function drainInbox(processor: Processor): boolean {
  const inbox = processor + PROCESSOR_INBOX;
  const holder = peek(taskAt(peek(processor + PROCESSOR_TASK) & INDEX_MASK) + TASK_CALLER) & INDEX_MASK;
  let any = false;
  for (let index = passOn(inbox, holder); index !== 0; index = passOn(inbox, holder)) {
    const target = tcbAt(index);
    const state = peek(target + TCB_STATE);
    const from = (state & INDEX_MASK) === ANY_INDEX ? 0 : peek(tcbAt(state & INDEX_MASK) + TCB_ID);
    if ((state & KIND_MASK) === HOME_WAIT) takeQueued(processor, target, from);
    any = true;
  }
  return any;
}

/** Looks at the threads that wait for other processors; those that have their answer become ready. */
export function lookAbroad(processor: Processor): boolean {
  let any = false;
  for (let i = abroad.length - 1; i >= 0; i--) {
    const tcb = abroad[i]!;
    const state = load(tcb + TCB_STATE) & ~PARKED;
    // Taken out of a queue: now the receive counts, and no more is to be set.
    if ((state & KIND_MASK) === WAIT && peek(tcb + TCB_RECEIVE_TIMEOUT) !== REST) {
      limitWait(processor, tcb, peek(tcb + TCB_RECEIVE_TIMEOUT));
      poke(tcb + TCB_RECEIVE_TIMEOUT, REST);
    }
    if (state !== running(peek(tcb + TCB_ID))) continue;
    abroad.splice(i, 1);
    // A send that was taken leaves its own message in the line.
    if (peek(tcb + TCB_SENDER) !== peek(tcb + TCB_ID)) poke(tcb + TCB_PENDING, 1);
    else if (peek(tcb + TCB_OUT_CUT) !== 0) endHomeWait(processor, tcb, CUT);
    insertReady(processor, tcb);
    any = true;
  }
  return any;
}

/** A passive thread got a message from another processor: it is served, answered, and looks for the next. */
function servePassive(processor: Processor, self: Tcb, index: number): number {
  const handler = passives[index];
  if (handler === undefined) return 0;
  const from = registers[R_SENDER]!;
  const sequence = registers[R_SEQUENCE]!;
  const calls = (registers[R_TAG]! & TAG_KIND) === CALL;
  const runs = running(peek(self + TCB_ID));
  const tag = handler(registers[R_TAG]!);
  // Ended by its own handler: whoever waited for the answer has been told.
  if (peek(self + TCB_STATE) !== runs) return 0;
  registers[R_RECEIVE_TIMEOUT] = NEVER;
  if (!calls || tag === 0) return performReceive(processor, self, 0);
  registers[R_SENDER] = from;
  registers[R_SEQUENCE] = sequence;
  registers[R_TAG] = tag;
  return performReplyAndReceive(processor, self, index);
}

/** States when the wait that begins ends, or that it does not: the deadline of an earlier wait is void. */
function limitWait(processor: Processor, self: Tcb, timeout_ms: number): void {
  if (timeout_ms < 0) {
    poke(self + TCB_DEADLINE, 0);
    return;
  }
  const time_ms = now_ms();
  setWakeup(processor, self, time_ms + Math.max(1, timeout_ms), time_ms);
}

/** Sets the parked bit of all who wait for another processor, so that news rings. False: there is news already. */
export function parkAbroad(): boolean {
  let quiet = true;
  for (let i = 0; i < abroad.length; i++) {
    const at = abroad[i]! + TCB_STATE;
    const state = load(at);
    const kind = state & KIND_MASK;
    if (kind !== WAIT && kind !== POLL) quiet = false;
    else if ((state & PARKED) === 0 && compareExchange(at, state, state | PARKED) !== state) quiet = false;
  }
  return quiet;
}

/** Whether threads of this processor wait for others: somebody must go on looking. */
export const waitsAbroad = (): boolean => abroad.length > 0;
