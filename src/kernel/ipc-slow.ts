/**
 * Synchronous ipc, complete: what ipc.ts declines to. Every operation is here in full (paper 5.2.1): open and closed
 * receive, polling senders, string items, timeouts, stale and dead partners, borders of clans.
 *
 * A sender that finds its partner not waiting stands in the partner's polling-me queue, its message in its own ipc line
 * and window. It looks at the partner once more after it has queued, and a receiver looks at its queue before it opens
 * and once more after: one of the two always sees the other.
 */
import { exchange, load, peek, poke, registers, spin, store } from '#atomics';
import { firstSpin, now_ms, spinLoads, spinsFor } from '#wait';
import {
  CALL,
  CUT,
  DEADLOCK,
  DROPPED,
  MISSED,
  NEVER,
  NO_SUCH_THREAD,
  NOT_TAKEN,
  NOT_YET,
  OK,
  OPEN_ONLY,
  ORPHANED,
  PEER_GONE,
  R_CUT,
  R_RECEIVE_TIMEOUT,
  R_SENDER,
  R_TAG,
  R_TARGET,
  R_WORD,
  RECEIVE_TIMEOUT,
  REST,
  type Result,
  SEND_TIMEOUT,
  SPIN_ONLY,
  TAG_KIND,
  TAG_STRINGS,
} from '../layout/message.ts';
import { ANY_INDEX, INDEX_MASK, PARK_SLICE_ms, SPIN_STEP } from '../layout/params.ts';
import type { Tcb, ThreadId } from '../layout/tcb.ts';
import {
  DEAD,
  generationOf,
  KIND_MASK,
  LOCK,
  locked,
  missedAt,
  PARKED,
  POLL,
  polling,
  running,
  STATE_GENERATION,
  TCB_HOME,
  TCB_ID,
  TCB_OUT_CUT,
  TCB_OUT_PIECES,
  TCB_POLL_TARGET,
  TCB_RECEIVE_TIMEOUT,
  TCB_SENDER,
  TCB_SENT,
  TCB_SEQUENCE,
  TCB_STATE,
  TCB_TAG,
  tcbAt,
  tcbOf,
  WAIT,
  waiting,
} from '../layout/tcb.ts';
import { redirect, sameClan } from './clan.ts';
import { claim, doorbellOf, isOrphaned, park, pollingQueue, ring, unclaim, wake, withdraw } from './park.ts';
import { dequeue, enqueue, findInQueue, firstInQueue, queueOf, removeFromQueue } from './queue.ts';
import {
  countSent,
  inPieces,
  nextSequence,
  pullMessage,
  putMessage,
  putStrings,
  sendPieces,
  stringsIn,
  takeMessage,
  takeStrings,
} from './transfer.ts';

/** OK, or why no message can reach thread `id`: it ended, or it never was. */
export function checkThread(id: number): Result {
  const tcb = tcbOf(id);
  const present = peek(tcb + TCB_ID);
  const state = load(tcb + TCB_STATE);
  if (present === id && state !== DEAD && ((state ^ id) & STATE_GENERATION) === 0) return OK;
  return generationOf(id) < generationOf(present) || present === id ? PEER_GONE : NO_SUCH_THREAD;
}

/** The failure of a thread's check, for who has a message for it. */
export const notTaken = (known: Result): Result => (known === PEER_GONE ? NOT_TAKEN : known);

/** As `call` in ipc.ts, for every case. */
export function callSlow(
  self: Tcb,
  to: ThreadId,
  expect: number,
  tag: number,
  sendTimeout_ms: number,
  receiveTimeout_ms: number,
): Result {
  registers[R_RECEIVE_TIMEOUT] = receiveTimeout_ms;
  const begun = startSend(self, to, expect, (tag & ~TAG_KIND) | CALL, sendTimeout_ms);
  if (begun === OK) return awaitMessage(self, sendTimeout_ms, receiveTimeout_ms);
  return begun === NOT_YET ? awaitMessage(self, sendTimeout_ms, receiveTimeout_ms, registers[R_TARGET]) : begun;
}

/** Sends the registers to `to`; waits until the partner has taken them. OK, CUT or the failure. */
export function send(self: Tcb, to: ThreadId, tag: number, timeout_ms: number): Result {
  const begun = startSend(self, to, ANY_INDEX, tag & ~TAG_KIND, timeout_ms);
  if (begun === NOT_YET) return awaitMessage(self, timeout_ms, NEVER, registers[R_TARGET]);
  return begun === OK && registers[R_CUT] !== 0 ? CUT : begun;
}

/**
 * Begins a send or a call and does not wait. OK: the message is with the partner; after a call `self` waits. NOT_YET:
 * `self` stands in the polling-me queue of the thread whose index is R_TARGET, or has just been taken out of it; what
 * follows is for `awaitMessage` with that target, or for `continueSend`. Anything else: nothing has happened.
 *
 * `behind` is a thread of this agent whose message must not be overtaken, or 0. While it polls for the same partner,
 * `self` does too: a partner that has just opened would else take the newcomer before it looks at its queue.
 */
export function startSend(
  self: Tcb,
  to: ThreadId,
  expect: number,
  tag: number,
  sendTimeout_ms: number,
  behind: Tcb | 0 = 0,
): Result {
  const me = peek(self + TCB_ID) as ThreadId;
  if (to === me) return DEADLOCK;
  const via = sameClan(self, tcbOf(to)) ? to : redirect(self, tcbOf(to));
  // Last: what was read of its clan is its own only if it lives still.
  const known = checkThread(to);
  if (known !== OK) return notTaken(known);
  if (via < 0) return -via;
  to = via as ThreadId;
  const partner = tcbOf(to);
  registers[R_CUT] = 0;
  const sequence = nextSequence();
  if (!pollsFor(behind, to) && claimReceptive(partner, to, expect, me)) return push(self, partner, tag, sequence);
  if (sendTimeout_ms === 0) return SEND_TIMEOUT;
  registers[R_TARGET] = to & INDEX_MASK;
  return startPolling(self, to, expect, tag, sequence, behind);
}

/** Whether thread `behind` stands in a queue for `to`; 0 is no thread. */
const pollsFor = (behind: Tcb | 0, to: ThreadId): boolean =>
  behind !== 0 && (load(behind + TCB_STATE) & ~PARKED) === polling(peek(behind + TCB_ID), to);

/**
 * Claims a partner that waits as expected, or for `me` alone: what it awaits of me may be a call as well as a reply.
 */
function claimReceptive(partner: Tcb, to: ThreadId, expect: number, me: ThreadId): boolean {
  const taken = locked(to, me);
  return claim(partner, waiting(to, expect), taken) || claim(partner, waiting(to, me), taken);
}

/** Whether a claim would succeed now. */
function isReceptive(partner: Tcb, to: ThreadId, expect: number, me: ThreadId): boolean {
  const state = load(partner + TCB_STATE) & ~PARKED;
  return state === waiting(to, expect) || state === waiting(to, me);
}

/** Gives the message to a claimed partner. */
function push(self: Tcb, partner: Tcb, tag: number, sequence: number): Result {
  const me = peek(self + TCB_ID);
  const to = peek(partner + TCB_ID);
  putMessage(partner, me, tag, sequence);
  if ((tag & TAG_STRINGS) !== 0) putStrings(self, partner, tag);
  if ((tag & TAG_KIND) !== CALL) return publish(self, partner, to, tag);
  poke(self + TCB_SEQUENCE, sequence);
  poke(self + TCB_TAG, tag);
  store(self + TCB_STATE, waiting(me, to));
  // A partner that dies among the pieces shows as the answer: the wait is on, and the repair ends it.
  publish(self, partner, to, tag);
  return OK;
}

/** Lets a claimed partner run with the message in its line; the pieces of a long one follow. */
function publish(self: Tcb, partner: Tcb, to: number, tag: number): Result {
  const pieces = inPieces(partner, tag);
  countSent(self);
  // SYNC POINT: pairs with awaitMessage of the partner.
  if ((exchange(partner + TCB_STATE, running(to)) & PARKED) !== 0) wake(partner);
  return pieces ? sendPieces(self, to, stringsIn(tag)) : OK;
}

function startPolling(self: Tcb, to: ThreadId, expect: number, tag: number, sequence: number, behind: Tcb | 0): Result {
  const partner = tcbOf(to);
  const me = peek(self + TCB_ID) as ThreadId;
  const isHome = peek(partner + TCB_HOME) !== 0;
  const mine = polling(me, to);
  putMessage(self, me, tag, sequence);
  poke(self + TCB_OUT_PIECES, 0);
  poke(self + TCB_OUT_CUT, 0);
  poke(self + TCB_POLL_TARGET, to);
  poke(self + TCB_RECEIVE_TIMEOUT, registers[R_RECEIVE_TIMEOUT]!);
  if ((tag & TAG_STRINGS) !== 0) putStrings(self, self, tag);
  for (;;) {
    store(self + TCB_STATE, mine);
    enqueue(pollingQueue(partner), self);
    // Who cancelled before we were queued found nothing to take out.
    if (load(self + TCB_STATE) !== mine) removeFromQueue(self, me & INDEX_MASK);
    if (isHome) ring(doorbellOf(partner));
    if (isHome || !isReceptive(partner, to, expect, me)) break;
    // The partner has opened and not yet looked at its queue, where it will find `behind` and then us.
    if (pollsFor(behind, to)) break;
    // It opened meanwhile. The own state first: the other order may have to undo a claim, unseen by who has met it.
    if (!withdraw(self, mine)) break;
    if (claimReceptive(partner, to, expect, me)) return push(self, partner, tag, sequence);
  }
  const known = checkThread(to);
  return known !== OK && withdraw(self, mine) ? notTaken(known) : NOT_YET;
}

/**
 * Waits until the own state is "running": the message, or the news that there is none, lies in the own line. Spins,
 * then parks. A timeout ends the wait only if no partner has claimed it: what has started is waited for. `target` is
 * the index of the thread that is polled for, 0 when the own message is with its receiver: the state cannot tell.
 */
export function awaitMessage(self: Tcb, sendTimeout_ms: number, receiveTimeout_ms: number, target = 0): Result {
  const me = peek(self + TCB_ID);
  const here = running(me);
  let phase = target === 0 ? WAIT : POLL;
  let deadline_ms = NEVER;
  const awaited = load(self + TCB_STATE) & INDEX_MASK;
  let spins = receiveTimeout_ms === OPEN_ONLY ? 0 : spinsFor(self, awaited, peek(self + TCB_SENT));
  if (phase === POLL) spins = Math.min(spins, spinLoads);
  for (; ; spins -= SPIN_STEP) {
    const state = load(self + TCB_STATE);
    // A send ends with the own message still in the line; anything else was written by a partner or the kernel.
    if (state === here) {
      if (phase === POLL && peek(self + TCB_SENDER) === me) return continueSend(self);
      // Ended between its taking and its pieces, it owes them still: the receiver looks at nothing else.
      if (phase === POLL && peek(self + TCB_OUT_PIECES) !== 0) continueSend(self);
      return received(self);
    }
    const kind = state & KIND_MASK;
    if (kind === WAIT && phase === POLL) {
      // Taken out of the queue: now for the answer. A partner that dies among the pieces shows as that answer.
      continueSend(self);
      phase = WAIT;
      if (receiveTimeout_ms !== REST) deadline_ms = NEVER;
      spins = firstSpin;
    }
    if (spins > 0) {
      spin(self + TCB_STATE, here, SPIN_STEP);
      continue;
    }
    const timeout_ms = phase === POLL || receiveTimeout_ms === REST ? sendTimeout_ms : receiveTimeout_ms;
    if (timeout_ms === SPIN_ONLY || timeout_ms === OPEN_ONLY) return NOT_YET;
    if (kind !== LOCK && isOrphaned() && withdraw(self, state)) return ORPHANED;
    let remaining_ms = PARK_SLICE_ms;
    if (timeout_ms !== NEVER && kind !== LOCK) {
      const time_ms = now_ms();
      if (deadline_ms === NEVER) deadline_ms = time_ms + timeout_ms;
      remaining_ms = deadline_ms - time_ms;
      if (remaining_ms <= 0 && withdraw(self, state)) return phase === POLL ? SEND_TIMEOUT : RECEIVE_TIMEOUT;
      if (remaining_ms <= 0) continue;
    }
    park(self, state, remaining_ms);
  }
}

/** The own message was pulled out of the queue. If it was too long for a window its bytes go now. */
export function continueSend(self: Tcb): Result {
  countSent(self);
  registers[R_CUT] = peek(self + TCB_OUT_CUT);
  const count = peek(self + TCB_OUT_PIECES);
  const result = count !== 0 ? sendPieces(self, peek(self + TCB_POLL_TARGET), count) : OK;
  return result === OK && registers[R_CUT] !== 0 ? CUT : result;
}

function received(self: Tcb): Result {
  takeMessage(self);
  return finishMessage(self);
}

/** What remains to do for a message whose words are in the registers: kernel errors, and strings. */
export function finishMessage(self: Tcb): Result {
  if (registers[R_SENDER] === 0) return registers[R_WORD]!;
  return (registers[R_TAG]! & TAG_STRINGS) === 0 ? OK : takeStrings(self);
}

/** Waits for a message of thread `from` (closed), or of anybody (open, `from` 0). */
export function receive(self: Tcb, from: number, timeout_ms: number): Result {
  if (from === 0) {
    if (pullNext(self)) return received(self);
    store(self + TCB_STATE, waiting(peek(self + TCB_ID), ANY_INDEX));
    return awaitOpened(self, timeout_ms);
  }
  const begun = startReceive(self, from);
  if (begun === OK) return received(self);
  return begun === NOT_YET ? awaitMessage(self, NEVER, timeout_ms) : begun;
}

/**
 * Begins a closed receive and does not wait. OK: the message is in the own line already. NOT_YET: `self` waits for
 * `from`. Anything else: it can never come.
 */
export function startReceive(self: Tcb, from: number): Result {
  const me = peek(self + TCB_ID);
  if (from === me) return DEADLOCK;
  if (pullFrom(self, from)) return OK;
  const closed = waiting(me, from);
  const polls = polling(from, me);
  // No call of its own is under way: who looks on sees a plain receive, and a late answer to an earlier call is none.
  poke(self + TCB_TAG, 0);
  poke(self + TCB_SEQUENCE, 0);
  // Re-check, as in startPolling: a partner that polled before the wait was visible, or died before it. A partner that
  // polls and is not yet queued finds us waiting, or is met in the next round.
  for (;;) {
    store(self + TCB_STATE, closed);
    const known = checkThread(from);
    if (known === OK && (load(tcbOf(from) + TCB_STATE) & ~PARKED) !== polls) return NOT_YET;
    if (!claim(self, closed, running(me))) return NOT_YET;
    if (pullFrom(self, from)) return OK;
    if (known !== OK) return known;
  }
}

/** Waits in the open state, which is set already. */
export function awaitOpened(self: Tcb, timeout_ms: number): Result {
  const me = peek(self + TCB_ID);
  const opened = waiting(me, ANY_INDEX);
  while (firstInQueue(queueOf(self)) !== 0 && claim(self, opened, running(me))) {
    if (pullNext(self)) return received(self);
    store(self + TCB_STATE, opened);
  }
  return awaitMessage(self, NEVER, timeout_ms);
}

/** Takes the first live sender out of the own queue, its message into the own line. False: there is none. */
function pullNext(self: Tcb): boolean {
  const sender = claimNext(self);
  if (sender !== 0) pull(self, sender as Tcb);
  return sender !== 0;
}

/** Claims thread `id` if it polls for thread `me`, and not for one that had its record before. */
export const claimPoller = (sender: Tcb, id: number, me: number): boolean =>
  peek(sender + TCB_POLL_TARGET) === me && claim(sender, polling(id, me), locked(id, me));

/** Claims the first sender that polls for us; others are thrown out. 0: there is none. */
function claimNext(self: Tcb): Tcb | 0 {
  const me = peek(self + TCB_ID);
  for (;;) {
    const index = dequeue(queueOf(self), me & INDEX_MASK);
    if (index === 0) return 0;
    const sender = tcbAt(index);
    const id = peek(sender + TCB_ID);
    if (claimPoller(sender, id, me)) return sender;
  }
}

function pullFrom(self: Tcb, from: number): boolean {
  const me = peek(self + TCB_ID);
  if (findInQueue(queueOf(self), from, me & INDEX_MASK) === 0) return false;
  const sender = tcbOf(from);
  if (!claimPoller(sender, from, me)) return false;
  pull(self, sender);
  return true;
}

/** Copies the message of a claimed sender into the own line and lets the sender go on: to its wait, or to run. */
export function pull(self: Tcb, sender: Tcb): void {
  const tag = peek(sender + TCB_TAG);
  const id = peek(sender + TCB_ID);
  // It may have withdrawn and polled anew between its unlinking and its claim.
  removeFromQueue(sender, peek(self + TCB_ID) & INDEX_MASK);
  pullMessage(self, sender);
  if ((tag & TAG_KIND) !== CALL) {
    if ((exchange(sender + TCB_STATE, running(id)) & PARKED) !== 0) wake(sender);
    return;
  }
  // Nobody is waked for having been taken: the parked bit stays. But pieces are its own to send, and a clock to set.
  const rings = inPieces(self, tag) || peek(sender + TCB_RECEIVE_TIMEOUT) > 0;
  unclaim(sender, waiting(id, peek(self + TCB_ID)));
  if (rings && (load(sender + TCB_STATE) & PARKED) !== 0) wake(sender);
}

/**
 * Answers the call `sequence` of `to` with the registers; does not wait. DROPPED: it no longer waits for this answer.
 */
export function reply(self: Tcb, to: ThreadId, sequence: number, tag: number): Result {
  const partner = tcbOf(to);
  const prepared = prepareReply(self, partner, to, sequence, tag);
  return prepared === OK ? publish(self, partner, to, tag) : prepared;
}

/** Claims the caller, checks that it awaits this very answer, and writes it. */
function prepareReply(self: Tcb, partner: Tcb, to: ThreadId, sequence: number, tag: number): Result {
  const me = peek(self + TCB_ID);
  const awaiting = waiting(to, me);
  const claimed = claim(partner, awaiting, locked(to, me));
  // It may be in an upcall of this call. SYNC POINT: pairs with replyAndWaitFrom, where it waits and then looks here.
  if (!claimed && checkThread(to) === OK) store(missedAt(partner, sequence), sequence);
  if (!claimed && !claim(partner, awaiting, locked(to, me))) return DROPPED;
  if (peek(partner + TCB_SEQUENCE) !== sequence) {
    unclaim(partner, awaiting);
    return DROPPED;
  }
  putMessage(partner, me, tag, sequence);
  registers[R_CUT] = 0;
  if ((tag & TAG_STRINGS) !== 0) putStrings(self, partner, tag);
  return OK;
}

/**
 * As `replyAndReceive` in ipc.ts, for every case. When somebody polls for us, its ipc begins before the answered caller
 * continues (paper 5.3.5), and our state never opens: who was there first is served first.
 */
export function replyAndReceiveSlow(
  self: Tcb,
  to: ThreadId,
  sequence: number,
  tag: number,
  receiveTimeout_ms: number,
): Result {
  const partner = tcbOf(to);
  const prepared = prepareReply(self, partner, to, sequence, tag);
  const next = claimNext(self);
  if (next === 0) store(self + TCB_STATE, waiting(peek(self + TCB_ID), ANY_INDEX));
  if (prepared === OK) publish(self, partner, to, tag);
  if (next === 0) return awaitOpened(self, receiveTimeout_ms);
  pull(self, next);
  return received(self);
}

/**
 * Answers as `reply` does and waits for `to` alone again: the end of an upcall, whose caller goes on with our call.
 * `awaited` is the sequence of that call.
 */
export function replyAndReceiveFrom(
  self: Tcb,
  to: ThreadId,
  sequence: number,
  tag: number,
  from: ThreadId,
  awaited: number,
  receiveTimeout_ms: number,
): Result {
  const begun = replyAndWaitFrom(self, to, sequence, tag, from, awaited);
  return begun === OK ? awaitMessage(self, NEVER, receiveTimeout_ms) : begun;
}

/** The half of `replyAndReceiveFrom` that does not block. */
export function replyAndWaitFrom(
  self: Tcb,
  to: ThreadId,
  sequence: number,
  tag: number,
  from: ThreadId,
  awaited: number,
): Result {
  const me = peek(self + TCB_ID);
  const partner = tcbOf(to);
  const prepared = prepareReply(self, partner, to, sequence, tag);
  const closed = waiting(me, from);
  poke(self + TCB_SEQUENCE, awaited);
  store(self + TCB_STATE, closed);
  if (prepared === OK) publish(self, partner, to, tag);
  const known = load(missedAt(self, awaited)) === awaited ? MISSED : checkThread(from);
  return known !== OK && claim(self, closed, running(me)) ? known : OK;
}
