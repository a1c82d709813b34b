/**
 * The ready queue of a processor, kept lazily (paper 5.3.4): ipc only changes states, and a thread goes in when it
 * loses the processor but stays ready. Invariant: the queue contains at least all ready threads of the processor,
 * except possibly the current one. Whoever parses it throws out what is not ready.
 *
 * Lazy scheduling lives where threads are multiplexed, on local threads. A thread with an agent of its own is scheduled
 * by the operating system.
 */
import { peek, poke } from '#atomics';
import { type Processor, PROCESSOR_READY_FIRST, PROCESSOR_READY_LAST } from '../layout/task.ts';
import {
  indexOfTcb,
  running,
  type Tcb,
  TCB_ID,
  TCB_READY_LINKED,
  TCB_READY_NEXT,
  TCB_STATE,
  tcbAt,
} from '../layout/tcb.ts';

/** Puts a ready thread at the end, unless it is still linked from an earlier time. */
export function insertReady(processor: Processor, tcb: Tcb): void {
  if (peek(tcb + TCB_READY_LINKED) !== 0) return;
  poke(tcb + TCB_READY_LINKED, 1);
  poke(tcb + TCB_READY_NEXT, 0);
  const index = indexOfTcb(tcb);
  const last = peek(processor + PROCESSOR_READY_LAST);
  if (last === 0) poke(processor + PROCESSOR_READY_FIRST, index);
  else poke(tcbAt(last) + TCB_READY_NEXT, index);
  poke(processor + PROCESSOR_READY_LAST, index);
}

/** Takes a thread out, ready or not, before its record is freed. */
export function removeReady(processor: Processor, tcb: Tcb): void {
  if (peek(tcb + TCB_READY_LINKED) === 0) return;
  const index = indexOfTcb(tcb);
  const next = peek(tcb + TCB_READY_NEXT);
  let previous = 0;
  for (let at = peek(processor + PROCESSOR_READY_FIRST); at !== index; at = peek(tcbAt(at) + TCB_READY_NEXT)) {
    previous = at;
  }
  if (previous === 0) poke(processor + PROCESSOR_READY_FIRST, next);
  else poke(tcbAt(previous) + TCB_READY_NEXT, next);
  if (next === 0) poke(processor + PROCESSOR_READY_LAST, previous);
  poke(tcb + TCB_READY_LINKED, 0);
}

/** Takes the first thread that is still ready; its index, or 0. */
export function takeReady(processor: Processor): number {
  for (;;) {
    const index = peek(processor + PROCESSOR_READY_FIRST);
    if (index === 0) return 0;
    const tcb = tcbAt(index);
    const next = peek(tcb + TCB_READY_NEXT);
    poke(processor + PROCESSOR_READY_FIRST, next);
    if (next === 0) poke(processor + PROCESSOR_READY_LAST, 0);
    poke(tcb + TCB_READY_LINKED, 0);
    if (peek(tcb + TCB_STATE) === running(peek(tcb + TCB_ID))) return index;
  }
}
