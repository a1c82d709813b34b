/**
 * A stack overflow within a call in place. The engine throws it wherever a frame does not fit: between the claim of a
 * partner and its publication as well, or while the call waits. What was begun is undone as the repair of a dead thread
 * undoes it (kernel/fault.ts), by the thread itself, as soon as it has stack again: before its next call, at the end of
 * the handler that it was in, or in a microtask.
 */
import { load, peek } from '#atomics';
import { cancel, endWait } from '../kernel/fault.ts';
import { queueOf, rebuildQueue, unlockQueue } from '../kernel/queue.ts';
import { HEADER_TASKS_MAX, HEADER_THREADS_MAX } from '../layout/map.ts';
import { ABORTED, PEER_GONE } from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { PROCESSOR_INBOX, processorAt } from '../layout/task.ts';
import { KIND_MASK, LOCK, PARKED, TCB_STATE, type Tcb, type ThreadId, tcbAt, tcbOf, waiting } from '../layout/tcb.ts';
import { idOf, isAttached } from '../user/agent.ts';

/** Pairs of calling thread and partner of calls that an overflow broke off, and nobody has mended yet. */
export const torn: number[] = [];
/** Who notes one in `torn` lets `mendTorn` follow this. Neither needs a frame, which might not fit. */
export const ready = Promise.resolve();

/** Message of the engine's RangeError. */
export const OVERFLOW = 'Maximum call stack size exceeded';

/** Undoes what was broken off. Should the stack not suffice for that either, it throws, and is to be called again. */
export function mendTorn(): void {
  while (torn.length > 0) {
    if (isAttached()) mend(torn[torn.length - 2] as Tcb, torn[torn.length - 1] as ThreadId);
    torn.length -= 2;
  }
}

function mend(self: Tcb, to: ThreadId): void {
  const id = idOf(self);
  const me = id & INDEX_MASK;
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) mendQueue(processorAt(index) + PROCESSOR_INBOX, me);
  for (let index = 1; index <= peek(HEADER_THREADS_MAX); index++) mendQueue(queueOf(tcbAt(index)), me);
  for (let index = 1; index <= peek(HEADER_THREADS_MAX); index++) {
    const state = load(tcbAt(index) + TCB_STATE);
    if ((state & KIND_MASK) === LOCK && (state & INDEX_MASK) === me) endWait(tcbAt(index), state, PEER_GONE, me);
  }
  cancel(self, ABORTED, me);
  // It called back within the call, and nobody is there any more to serve that.
  const state = load(tcbOf(to) + TCB_STATE);
  if ((state & ~PARKED) === waiting(to, id)) endWait(tcbOf(to), state, PEER_GONE, me);
}

function mendQueue(queue: number, me: number): void {
  if ((load(queue) & INDEX_MASK) !== me) return;
  rebuildQueue(queue, peek(HEADER_THREADS_MAX));
  unlockQueue(queue);
}
