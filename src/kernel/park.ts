/**
 * Claiming, parking and waking: all that happens on a state word beyond its plain meaning.
 *
 * A thread parks by setting the parked bit of its own state word with a compare-exchange and sleeping on exactly that
 * value; there is no other flag. Whoever changes the word carries the bit along until the publication, finds it in the
 * old value there, and rings. What is rung is the state word itself, or, for threads that an event loop watches, the
 * doorbell of their processor.
 */
import { add, compareExchange, load, peek, poke } from '#atomics';
import { notify, now_ms, wait } from '#wait';
import { HEADER_BEAT } from '../layout/map.ts';
import { ANY_INDEX, INDEX_MASK, LISTEN_SLICE_ms, PARK_SLICE_ms, SILENT_SLICES_MAX } from '../layout/params.ts';
import { type Processor, processorAt, PROCESSOR_DOORBELL, PROCESSOR_INBOX } from '../layout/task.ts';
import type { Tcb } from '../layout/tcb.ts';
import {
  KIND_MASK,
  PARKED,
  POLL,
  running,
  TCB_BELL,
  TCB_HOME,
  TCB_ID,
  TCB_PARKS,
  TCB_PROCESSOR,
  TCB_SINCE,
  TCB_STATE,
} from '../layout/tcb.ts';
import { queueOf, removeFromQueue } from './queue.ts';

/** Moves a state word from `expected` to `next`, parked or not; the parked bit stays as it is. */
export function claim(tcb: Tcb, expected: number, next: number): boolean {
  const seen = compareExchange(tcb + TCB_STATE, expected, next);
  if (seen === expected) return true;
  const asleep = expected | PARKED;
  return seen === asleep && compareExchange(tcb + TCB_STATE, asleep, next | PARKED) === asleep;
}

/** Takes back a claim without a trace; the owner may have parked on the locked word meanwhile. */
export function unclaim(tcb: Tcb, before: number): void {
  for (;;) {
    const seen = load(tcb + TCB_STATE);
    if (compareExchange(tcb + TCB_STATE, seen, before | (seen & PARKED)) === seen) return;
  }
}

/** Rings a thread whose state word had the parked bit when it was published. SYNC POINT: pairs with park. */
export function wake(tcb: Tcb): void {
  // Who is watched by a loop may wait in place all the same, in an upcall of its own.
  notify(tcb + TCB_STATE);
  const bell = peek(tcb + TCB_BELL);
  if (bell !== 0) ring(bell);
}

/** Rings a doorbell: its count goes up, so that a listener about to sleep sees that it must not. */
export function ring(bell: number): void {
  add(bell, 1);
  notify(bell);
}

/** The processor of a thread. */
export const processorOf = (tcb: Tcb): Processor => processorAt(peek(tcb + TCB_PROCESSOR));

export const doorbellOf = (tcb: Tcb): number => processorOf(tcb) + PROCESSOR_DOORBELL;

/** Sleeps on the own state word while it is `state`, at most `timeout_ms`. Returns early at any news. */
export function park(self: Tcb, state: number, timeout_ms: number): void {
  const asleep = state | PARKED;
  // A thread that the event loop watched until now sleeps here: it is rung on its state word, not at the doorbell.
  poke(self + TCB_BELL, 0);
  // A further slice of the same wait finds the bit in place.
  if (state !== asleep) {
    if (compareExchange(self + TCB_STATE, state, asleep) !== state) return;
    poke(self + TCB_SINCE, now_ms());
    poke(self + TCB_PARKS, (peek(self + TCB_PARKS) + 1) | 0);
  }
  // Who waits for anybody ends with the supervisor; who waits for one partner must hear of its end.
  const slice_ms = (state & INDEX_MASK) === ANY_INDEX ? PARK_SLICE_ms : LISTEN_SLICE_ms;
  const sleptThrough = wait(self + TCB_STATE, asleep, Math.min(timeout_ms, slice_ms));
  if (sleptThrough && timeout_ms >= slice_ms) listenForBeat();
}

let beat = 0;
let silentSlices = 0;

function listenForBeat(): void {
  const heard = load(HEADER_BEAT);
  silentSlices = heard === 0 || heard !== beat ? 0 : silentSlices + 1;
  beat = heard;
}

/** Whether the supervisor has ended: nobody will repair what a dead partner left. */
export const isOrphaned = (): boolean => silentSlices >= SILENT_SLICES_MAX && load(HEADER_BEAT) === beat;

/** The queue in which a thread polls for `target`: its own, or the inbox of its processor when it is multiplexed. */
export const pollingQueue = (target: Tcb): number =>
  peek(target + TCB_HOME) === 0 ? queueOf(target) : processorOf(target) + PROCESSOR_INBOX;

/** Ends the own wait, if nobody has claimed it since `state` was read: the thread runs again, out of every queue. */
export function withdraw(self: Tcb, state: number): boolean {
  const me = peek(self + TCB_ID);
  if (compareExchange(self + TCB_STATE, state, running(me)) !== state) return false;
  if ((state & KIND_MASK) === POLL) removeFromQueue(self, me & INDEX_MASK);
  return true;
}
