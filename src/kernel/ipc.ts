/**
 * Synchronous ipc between threads of different processors, the fast path (paper 5.2.1, 5.3.5): `call` and
 * `replyAndReceive` of a short message to a partner that is already waiting. Anything else declines, before the point
 * of no return, to ipc-slow.ts, which is complete and gives the same answers.
 *
 * A claim is one compare-exchange of the partner's state word with the value it must have: kind, awaited partner and
 * generation at once. It is predicted, not loaded first: one transfer of the cache line less. The message is then
 * written into the partner's ipc line and published by an exchange, whose old value tells whether the partner parked.
 */
import { compareExchange, exchange, load, peek, poke, spin } from '#atomics';
import { firstSpin } from '#wait';
import { CALL, NEVER, OK, type Result, TAG_KIND, TAG_STRINGS } from '../layout/message.ts';
import type { Tcb, ThreadId } from '../layout/tcb.ts';
import {
  locked,
  open,
  PARKED,
  running,
  TCB_ID,
  TCB_QUEUE_FIRST,
  TCB_SENDER,
  TCB_SEQUENCE,
  TCB_STATE,
  TCB_TAG,
  tcbOf,
  waiting,
} from '../layout/tcb.ts';
import { sameClan } from './clan.ts';
import { awaitMessage, awaitOpened, callSlow, finishMessage, receive, replyAndReceiveSlow } from './ipc-slow.ts';
import { unclaim, wake } from './park.ts';
import { countSent, nextSequence, putMessage, takeMessage } from './transfer.ts';

/** Whether the message just received needs nothing more: it is of a thread, not of the kernel, and has no strings. */
const isPlain = (self: Tcb): boolean => peek(self + TCB_SENDER) !== 0 && (peek(self + TCB_TAG) & TAG_STRINGS) === 0;

/**
 * Sends the registers to thread `to` with this tag and waits for a message of it: the reply, or an upcall.
 * `expect` is the index that `to` must be waiting for: ANY_INDEX, or that of the thread it called, for an upcall.
 * Timeouts in milliseconds: until the partner takes the message, and from then to the answer; 0 and NEVER touch no
 * list. The registers then hold the message. Results: OK, CUT and every failure of layout/message.ts.
 */
export function call(
  self: Tcb,
  to: ThreadId,
  expect: number,
  tag: number,
  sendTimeout_ms: number,
  receiveTimeout_ms: number,
): Result {
  const partner = tcbOf(to);
  if ((tag & (TAG_STRINGS | TAG_KIND)) !== CALL || !sameClan(self, partner)) {
    return callSlow(self, to, expect, tag, sendTimeout_ms, receiveTimeout_ms);
  }
  const me = peek(self + TCB_ID);
  const receptive = waiting(to, expect);
  const sequence = nextSequence();
  const awaiting = waiting(me, to);
  // Written before the claim: it brings the own line here, so that nothing stands between claim and publication.
  poke(self + TCB_SEQUENCE, sequence);
  poke(self + TCB_TAG, tag);
  if (compareExchange(partner + TCB_STATE, receptive, locked(to, me)) !== receptive) {
    return callSlow(self, to, expect, tag, sendTimeout_ms, receiveTimeout_ms);
  }
  // POINT OF NO RETURN
  poke(self + TCB_STATE, awaiting);
  putMessage(partner, me, tag, sequence);
  // SYNC POINT: pairs with awaitMessage of the partner.
  const asleep = exchange(partner + TCB_STATE, running(to)) & PARKED;
  countSent(self);
  if (asleep !== 0) wake(partner);
  else if (spin(self + TCB_STATE, running(me), firstSpin) !== 0) {
    takeMessage(self);
    return isPlain(self) ? OK : finishMessage(self);
  }
  return awaitMessage(self, sendTimeout_ms, receiveTimeout_ms);
}

/**
 * Answers the call `sequence` of thread `to` with the registers, then waits for the next message from anybody. A caller
 * that no longer waits loses its answer; the receive goes on. Replies never wait (send timeout 0, as in the paper).
 * The own state opens before the reply is published, so that the caller's next call meets it open.
 */
export function replyAndReceive(
  self: Tcb,
  to: ThreadId,
  sequence: number,
  tag: number,
  receiveTimeout_ms: number,
): Result {
  const partner = tcbOf(to);
  const me = peek(self + TCB_ID);
  const awaiting = waiting(to, me);
  if ((tag & TAG_STRINGS) !== 0 || peek(self + TCB_QUEUE_FIRST) !== 0) {
    return replyAndReceiveSlow(self, to, sequence, tag, receiveTimeout_ms);
  }
  poke(self + TCB_SENDER, 0);
  if (compareExchange(partner + TCB_STATE, awaiting, locked(to, me)) !== awaiting) {
    return replyAndReceiveSlow(self, to, sequence, tag, receiveTimeout_ms);
  }
  if (peek(partner + TCB_SEQUENCE) !== sequence) {
    unclaim(partner, awaiting);
    return receive(self, 0, receiveTimeout_ms);
  }
  // POINT OF NO RETURN
  poke(self + TCB_STATE, open(me));
  putMessage(partner, me, tag, sequence);
  // SYNC POINT: pairs with awaitMessage of the partner.
  if ((exchange(partner + TCB_STATE, running(to)) & PARKED) !== 0) wake(partner);
  countSent(self);
  // A sender that queued before the opening was visible is met here; one that queues after it claims by itself.
  if (load(self + TCB_QUEUE_FIRST) !== 0) return awaitOpened(self, receiveTimeout_ms);
  if (spin(self + TCB_STATE, running(me), firstSpin) !== 0) {
    takeMessage(self);
    return isPlain(self) ? OK : finishMessage(self);
  }
  return awaitMessage(self, NEVER, receiveTimeout_ms);
}
