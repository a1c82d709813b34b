/**
 * Wakeups (paper 5.3.3): n unordered lists; a thread that is to wake at time t stands in list t mod n, so that a tick
 * inspects about k/n of k entries. Wakeups further off than WAKEUP_LONG_ms stand in a long-term list, and move over
 * when they come near. Lazily kept: an ipc that ends in time does not touch its list; the entry is thrown out by the
 * tick that meets it. Invariant: each list contains at least all threads that wait with a deadline of its class.
 *
 * Threads that park in `wait` carry their deadline there and stand in no list; these lists are for threads that a
 * processor watches: local ones, and calls in flight of an event loop. Timeouts 0 and NEVER touch no list.
 */
import { load, peek, poke, store } from '#atomics';
import { ERROR, RECEIVE_TIMEOUT, type Result, SEND_TIMEOUT } from '../layout/message.ts';
import { INDEX_MASK, WAKEUP_LISTS, WAKEUP_LONG_ms } from '../layout/params.ts';
import { PROCESSOR_DUE, PROCESSOR_INSPECTED, PROCESSOR_TICKS, PROCESSOR_WAKEUP } from '../layout/task.ts';
import type { Processor } from '../layout/task.ts';
import type { Tcb } from '../layout/tcb.ts';
import {
  DEAD,
  HOME_POLL,
  HOME_WAIT,
  indexOfTcb,
  KIND_MASK,
  LOCK,
  POLL,
  RUN,
  running,
  TCB_DEADLINE,
  TCB_ID,
  TCB_PENDING,
  TCB_STATE,
  TCB_WAKEUP_LIST,
  TCB_WAKEUP_NEXT,
  TCB_WAKEUP_PREVIOUS,
  tcbAt,
} from '../layout/tcb.ts';
import { withdraw } from './park.ts';
import { removeFromQueue } from './queue.ts';
import { insertReady } from './ready.ts';
import { putKernelError } from './transfer.ts';

/** The list behind the n short ones. */
const LONG_LIST = WAKEUP_LISTS;

const listOf = (deadline_ms: number, time_ms: number): number =>
  deadline_ms - time_ms > WAKEUP_LONG_ms ? LONG_LIST : deadline_ms & (WAKEUP_LISTS - 1);

/** States that `tcb`, which waits or polls, wakes at `deadline_ms` (milliseconds since boot, not 0). */
export function setWakeup(processor: Processor, tcb: Tcb, deadline_ms: number, time_ms: number): void {
  poke(tcb + TCB_DEADLINE, deadline_ms);
  const due_ms = peek(processor + PROCESSOR_DUE);
  if (due_ms === 0 || deadline_ms < due_ms) poke(processor + PROCESSOR_DUE, deadline_ms);
  const list = listOf(deadline_ms, time_ms);
  const present = peek(tcb + TCB_WAKEUP_LIST);
  if (present === list + 1) return;
  if (present !== 0) unlinkWakeup(processor, tcb);
  linkWakeup(processor, tcb, list);
}

function linkWakeup(processor: Processor, tcb: Tcb, list: number): void {
  const head = processor + PROCESSOR_WAKEUP + list;
  const first = peek(head);
  const index = indexOfTcb(tcb);
  poke(tcb + TCB_WAKEUP_LIST, list + 1);
  poke(tcb + TCB_WAKEUP_NEXT, first);
  poke(tcb + TCB_WAKEUP_PREVIOUS, 0);
  if (first !== 0) poke(tcbAt(first) + TCB_WAKEUP_PREVIOUS, index);
  poke(head, index);
}

/** Takes a thread out of its wakeup list: when it moves to another one, and before it is freed. */
export function unlinkWakeup(processor: Processor, tcb: Tcb): void {
  const list = peek(tcb + TCB_WAKEUP_LIST) - 1;
  if (list < 0) return;
  const next = peek(tcb + TCB_WAKEUP_NEXT);
  const previous = peek(tcb + TCB_WAKEUP_PREVIOUS);
  if (previous === 0) poke(processor + PROCESSOR_WAKEUP + list, next);
  else poke(tcbAt(previous) + TCB_WAKEUP_NEXT, next);
  if (next !== 0) poke(tcbAt(next) + TCB_WAKEUP_PREVIOUS, previous);
  poke(tcb + TCB_WAKEUP_LIST, 0);
}

const waits = (tcb: Tcb): boolean => {
  const kind = load(tcb + TCB_STATE) & KIND_MASK;
  // A claimed thread too: a claim may be taken back.
  return kind !== RUN && kind !== DEAD;
};

/** Wakes every thread whose deadline lies in (since_ms, time_ms]. Ticks are whole milliseconds. */
export function tick(processor: Processor, since_ms: number, time_ms: number): void {
  const lists = Math.min(time_ms - since_ms, WAKEUP_LISTS);
  for (let i = 1; i <= lists; i++) inspect(processor, (since_ms + i) & (WAKEUP_LISTS - 1), time_ms);
  poke(processor + PROCESSOR_TICKS, (peek(processor + PROCESSOR_TICKS) + 1) | 0);
  // The long-term list need be looked at only often enough that none of its entries comes due unseen.
  if (((since_ms ^ time_ms) & -(WAKEUP_LONG_ms >> 1)) !== 0) inspect(processor, LONG_LIST, time_ms);
}

function inspect(processor: Processor, list: number, time_ms: number): void {
  let inspected = 0;
  for (let index = peek(processor + PROCESSOR_WAKEUP + list); index !== 0; inspected++) {
    const tcb = tcbAt(index);
    index = peek(tcb + TCB_WAKEUP_NEXT);
    const deadline_ms = peek(tcb + TCB_DEADLINE);
    if (deadline_ms === 0 || !waits(tcb)) unlinkWakeup(processor, tcb);
    else if (deadline_ms <= time_ms) expire(processor, tcb);
    else if (list === LONG_LIST) setWakeup(processor, tcb, deadline_ms, time_ms);
  }
  poke(processor + PROCESSOR_INSPECTED, (peek(processor + PROCESSOR_INSPECTED) + inspected) | 0);
}

/**
 * States anew when the next tick after that at `time_ms` is due: at the earliest deadline of who waits, 0 for none. The
 * lists are gone through in the order of the coming milliseconds, up to a deadline that no later list can precede.
 */
export function nextWakeup(processor: Processor, time_ms: number): number {
  let due_ms = 0;
  let inspected = 0;
  for (let i = 1; i <= WAKEUP_LISTS + 1 && (due_ms === 0 || due_ms >= time_ms + i); i++) {
    const list = i > WAKEUP_LISTS ? LONG_LIST : (time_ms + i) & (WAKEUP_LISTS - 1);
    for (let index = peek(processor + PROCESSOR_WAKEUP + list); index !== 0; inspected++) {
      const tcb = tcbAt(index);
      const deadline_ms = peek(tcb + TCB_DEADLINE);
      if (deadline_ms !== 0 && waits(tcb) && (due_ms === 0 || deadline_ms < due_ms)) due_ms = deadline_ms;
      index = peek(tcb + TCB_WAKEUP_NEXT);
    }
  }
  poke(processor + PROCESSOR_INSPECTED, (peek(processor + PROCESSOR_INSPECTED) + inspected) | 0);
  poke(processor + PROCESSOR_DUE, due_ms);
  return due_ms;
}

/** Ends the wait of a thread whose time has come, unless a partner has claimed it: what has started is waited for. */
function expire(processor: Processor, tcb: Tcb): void {
  const state = load(tcb + TCB_STATE);
  const kind = state & KIND_MASK;
  if (kind === LOCK) return;
  const code = kind === POLL || kind === HOME_POLL ? SEND_TIMEOUT : RECEIVE_TIMEOUT;
  if (kind === HOME_WAIT || kind === HOME_POLL) endHomeWait(processor, tcb, code);
  else if (withdraw(tcb, state)) putKernelError(tcb, ERROR | 1, code);
  else return;
  poke(tcb + TCB_DEADLINE, 0);
  unlinkWakeup(processor, tcb);
}

/** Lets a multiplexed thread run again with a result code of the kernel. */
export function endHomeWait(processor: Processor, tcb: Tcb, code: Result): void {
  const state = peek(tcb + TCB_STATE);
  const me = peek(tcb + TCB_ID);
  if ((state & KIND_MASK) === HOME_POLL) removeFromQueue(tcb, me & INDEX_MASK);
  putKernelError(tcb, ERROR | 1, code);
  poke(tcb + TCB_PENDING, 1);
  store(tcb + TCB_STATE, running(me));
  insertReady(processor, tcb);
}
