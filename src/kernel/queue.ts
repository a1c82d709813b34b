/**
 * The polling-me queue: the threads that want to send to one thread, in order of arrival (paper 5.3.2). The same
 * structure is the inbox of a processor. Doubly linked through the tcbs.
 *
 * The truth is the sender's state word (POLL, target); the queue is a hint under a lock that names its holder. An entry
 * whose thread no longer polls is thrown out by whoever meets it. The lock is held for a few stores and never across a
 * wait; who finds it held spins shortly, then sleeps on the lock word.
 *
 * `queue` is the word index of the head: four words {lock, first, last, ticket}.
 */
import { add, compareExchange, exchange, load, peek, poke, store } from '#atomics';
import { notify, spinLoads, wait } from '#wait';
import { ANY_INDEX, INDEX_MASK } from '../layout/params.ts';
import type { Tcb } from '../layout/tcb.ts';
import {
  indexOfTcb,
  KIND_MASK,
  POLL,
  QUEUE_CONTENDED,
  TCB_ID,
  TCB_POLL_NEXT,
  TCB_POLL_PREVIOUS,
  TCB_POLL_QUEUE,
  TCB_QUEUE_FIRST,
  TCB_QUEUE_LAST,
  TCB_QUEUE_LOCK,
  TCB_QUEUE_TICKET,
  TCB_STATE,
  TCB_TICKET,
  tcbAt,
  tcbOf,
} from '../layout/tcb.ts';

const FIRST = TCB_QUEUE_FIRST - TCB_QUEUE_LOCK;
const LAST = TCB_QUEUE_LAST - TCB_QUEUE_LOCK;
const TICKET = TCB_QUEUE_TICKET - TCB_QUEUE_LOCK;
/** A sleeper on the lock looks again after this long: its holder may have died. */
const LOCK_SLICE_ms = 2;

/** Head of the polling-me queue of a thread. */
export const queueOf = (tcb: Tcb): number => tcb + TCB_QUEUE_LOCK;

/** Takes the lock in the name of `holder` (the index of a tcb of this agent). */
export function lockQueue(queue: number, holder: number): void {
  for (let spins = spinLoads; ; spins--) {
    if (load(queue) === 0 && compareExchange(queue, 0, holder) === 0) return;
    if (spins > 0) continue;
    const seen = load(queue);
    if (seen === 0) continue;
    const contended = seen | QUEUE_CONTENDED;
    if (seen === contended || compareExchange(queue, seen, contended) === seen) wait(queue, contended, LOCK_SLICE_ms);
  }
}

export function unlockQueue(queue: number): void {
  // SYNC POINT: pairs with lockQueue. A sleeper has left its bit; it takes the lock afresh.
  if ((exchange(queue, 0) & QUEUE_CONTENDED) !== 0) notify(queue);
}

/** First sender's index, 0 when nobody waits. A look without the lock: a hint, re-checked by who acts on it. */
export const firstInQueue = (queue: number): number => load(queue + FIRST);

/** Appends a thread that already polls and stands in no queue. */
export function enqueue(queue: number, sender: Tcb): void {
  lockQueue(queue, indexOfTcb(sender));
  store(sender + TCB_POLL_QUEUE, queue);
  append(queue, sender);
  unlockQueue(queue);
}

function append(queue: number, sender: Tcb): void {
  const index = indexOfTcb(sender);
  const last = peek(queue + LAST);
  poke(sender + TCB_TICKET, add(queue + TICKET, 1));
  poke(sender + TCB_POLL_NEXT, 0);
  poke(sender + TCB_POLL_PREVIOUS, last);
  if (last === 0) exchange(queue + FIRST, index);
  else poke(tcbAt(last) + TCB_POLL_NEXT, index);
  poke(queue + LAST, index);
}

/** Takes the first entry out and returns its index, or 0. `holder` is the index of the receiver. */
export function dequeue(queue: number, holder: number): number {
  if (load(queue + FIRST) === 0) return 0;
  lockQueue(queue, holder);
  const first = peek(queue + FIRST);
  if (first !== 0) unlink(queue, tcbAt(first), 0);
  unlockQueue(queue);
  return first;
}

/**
 * Takes a thread out of the queue it stands in, if any: whoever ends its polling does so before the thread can poll
 * again, for it has one pair of links. A withdrawing sender, its receiver and a repair may all try.
 */
export function removeFromQueue(entry: Tcb, holder: number): void {
  for (let queue = load(entry + TCB_POLL_QUEUE); queue !== 0; queue = load(entry + TCB_POLL_QUEUE)) {
    lockQueue(queue, holder);
    if (load(entry + TCB_POLL_QUEUE) === queue) unlink(queue, entry, 0);
    unlockQueue(queue);
  }
}

/** Takes an entry out of `queue`; `to` is where it will stand, 0 for nowhere. */
function unlink(queue: number, entry: Tcb, to: number): void {
  const next = peek(entry + TCB_POLL_NEXT);
  const previous = peek(entry + TCB_POLL_PREVIOUS);
  if (previous === 0) exchange(queue + FIRST, next);
  else poke(tcbAt(previous) + TCB_POLL_NEXT, next);
  if (next === 0) poke(queue + LAST, previous);
  else poke(tcbAt(next) + TCB_POLL_PREVIOUS, previous);
  poke(entry + TCB_POLL_NEXT, 0);
  poke(entry + TCB_POLL_PREVIOUS, 0);
  store(entry + TCB_POLL_QUEUE, to);
}

/**
 * Moves the first sender in an inbox to the queue of the thread for which it polls, and returns that thread's index; 0:
 * nobody polls. Under both locks, so that it stands in one of the two whenever it withdraws. An entry that no longer
 * polls is thrown out; it cannot poll anew before it has been here for the lock.
 */
export function passOn(inbox: number, holder: number): number {
  if (load(inbox + FIRST) === 0) return 0;
  let target = 0;
  lockQueue(inbox, holder);
  for (let first = peek(inbox + FIRST); first !== 0 && target === 0; first = peek(inbox + FIRST)) {
    const sender = tcbAt(first);
    const state = load(sender + TCB_STATE);
    if ((state & KIND_MASK) === POLL) target = state & INDEX_MASK;
    if (target === 0) unlink(inbox, sender, 0);
    else moveTo(queueOf(tcbAt(target)), inbox, sender, holder);
  }
  unlockQueue(inbox);
  return target;
}

function moveTo(queue: number, inbox: number, sender: Tcb, holder: number): void {
  lockQueue(queue, holder);
  unlink(inbox, sender, queue);
  append(queue, sender);
  unlockQueue(queue);
}

/**
 * Links a queue afresh whose holder died between two stores, by ticket; the caller has the lock. `end` is the highest
 * index. A receiver that looks without the lock must not meet it empty meanwhile: it would sleep beside its senders.
 */
export function rebuildQueue(queue: number, end: number): void {
  store(queue + FIRST, ANY_INDEX);
  poke(queue + LAST, 0);
  let first = 0;
  for (let index = 1; index <= end; index++) {
    if (load(tcbAt(index) + TCB_POLL_QUEUE) === queue) first = insertByTicket(queue, first, tcbAt(index), index);
  }
  store(queue + FIRST, first);
}

function insertByTicket(queue: number, first: number, entry: Tcb, index: number): number {
  const ticket = peek(entry + TCB_TICKET);
  let previous = peek(queue + LAST);
  while (previous !== 0 && ((peek(tcbAt(previous) + TCB_TICKET) - ticket) | 0) > 0) {
    previous = peek(tcbAt(previous) + TCB_POLL_PREVIOUS);
  }
  const next = previous === 0 ? first : peek(tcbAt(previous) + TCB_POLL_NEXT);
  poke(entry + TCB_POLL_PREVIOUS, previous);
  poke(entry + TCB_POLL_NEXT, next);
  if (previous !== 0) poke(tcbAt(previous) + TCB_POLL_NEXT, index);
  if (next === 0) poke(queue + LAST, index);
  else poke(tcbAt(next) + TCB_POLL_PREVIOUS, index);
  return previous === 0 ? index : first;
}

/** Takes thread `wanted`, not another of its record, out of this queue and returns its index; 0: it is not in it. */
export function findInQueue(queue: number, wanted: number, holder: number): number {
  if (load(queue + FIRST) === 0) return 0;
  const entry = tcbOf(wanted);
  lockQueue(queue, holder);
  const isQueued = load(entry + TCB_POLL_QUEUE) === queue && peek(entry + TCB_ID) === wanted;
  if (isQueued) unlink(queue, entry, 0);
  unlockQueue(queue);
  return isQueued ? indexOfTcb(entry) : 0;
}
