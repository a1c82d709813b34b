/**
 * Death and its repair. The order is what makes it safe: first the dead thread can no longer be claimed, then whoever
 * had a hope in it is answered, then the record may be used again.
 *
 *   1. state word to DEAD by compare-exchange. A live claimer is waited for; a dead one is undone.
 *   2. everybody who waits for it, polls for it, is locked by it, or is in a long transfer with it, gets PEER_GONE.
 *   3. locks it holds are broken.
 *   4. every parked word of the system is rung: a thread may have died between its publication and the notify.
 *
 * A thread that begins to wait for the dead one meanwhile sees DEAD after it has stored its own state, or is seen by
 * the scan: one of the two. Repair is idempotent, and any live agent may do it.
 */
import { compareExchange, exchange, load, peek, store } from '#atomics';
import { notify } from '#wait';
import { HEADER_THREADS_MAX, HEADER_WINDOW_LOCK } from '../layout/map.ts';
import { ERROR, PEER_GONE, type Result } from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import type { TaskRecord } from '../layout/task.ts';
import { PROCESSOR_INBOX, processorAt, TASK_DEAD, TASK_ID, TASK_PROCESSOR, TASK_STATE } from '../layout/task.ts';
import type { Tcb } from '../layout/tcb.ts';
import {
  DEAD,
  KIND_MASK,
  LOCK,
  PARKED,
  POLL,
  QUEUE_CONTENDED,
  running,
  TCB_DRAINED,
  TCB_FILLED,
  TCB_ID,
  TCB_QUEUE_LOCK,
  TCB_STATE,
  TCB_TAKEN,
  TCB_TASK,
  TCB_TRANSFER,
  tcbAt,
  tcbOf,
  WAIT,
} from '../layout/tcb.ts';
import { pollingQueue, wake } from './park.ts';
import { removeFromQueue } from './queue.ts';
import { freeThread } from './tcb.ts';
import { putKernelError } from './transfer.ts';

const threadsEnd = (): number => peek(HEADER_THREADS_MAX);
const isOf = (tcb: Tcb, task: number): boolean => peek(tcb + TCB_TAKEN) !== 0 && peek(tcb + TCB_TASK) === task;

/**
 * Ends every thread of a task and answers all who depend on it. `holder` is the index of a live thread of the repairing
 * agent. The caller must know that no code of the task runs any more, or be that code's last act.
 */
export function repairTask(task: TaskRecord, holder: number): void {
  const id = peek(task + TASK_ID);
  store(task + TASK_STATE, TASK_DEAD);
  for (let index = 1; index <= threadsEnd(); index++) {
    if (isOf(tcbAt(index), id)) markDead(tcbAt(index), id);
  }
  breakLocks(id, peek(task + TASK_PROCESSOR));
  for (let index = 1; index <= threadsEnd(); index++) {
    if (peek(tcbAt(index) + TCB_TAKEN) !== 0) answer(tcbAt(index), id, holder);
  }
  ringEverybody();
}

/** Step 1: DEAD, once no live thread is writing into the record. */
function markDead(tcb: Tcb, task: number): void {
  for (;;) {
    const state = load(tcb + TCB_STATE);
    if (state === DEAD) return;
    if ((state & KIND_MASK) === LOCK && isClaimedAlive(state, task)) continue;
    if ((state & KIND_MASK) === POLL) {
      removeFromQueue(pollingQueue(tcbAt(state & INDEX_MASK)), tcb, peek(tcb + TCB_ID) & INDEX_MASK);
    }
    if (compareExchange(tcb + TCB_STATE, state, DEAD) === state) return;
  }
}

const isClaimedAlive = (state: number, task: number): boolean => {
  const claimer = tcbAt(state & INDEX_MASK);
  return load(claimer + TCB_STATE) !== DEAD && peek(claimer + TCB_TASK) !== task;
};

/** Step 2 for one living thread: ends its wait if it is for a thread of the dead task. */
function answer(tcb: Tcb, task: number, holder: number): void {
  const partnerOfTransfer = peek(tcb + TCB_TRANSFER);
  if (partnerOfTransfer !== 0 && isOf(tcbOf(partnerOfTransfer), task)) abortTransfer(tcb, tcbOf(partnerOfTransfer));
  for (;;) {
    const state = load(tcb + TCB_STATE);
    const kind = state & KIND_MASK;
    if (kind !== WAIT && kind !== POLL && kind !== LOCK) return;
    const partner = tcbAt(state & INDEX_MASK);
    if (!isOf(partner, task) || load(partner + TCB_STATE) !== DEAD) return;
    if (endWait(tcb, state, PEER_GONE, holder)) return;
  }
}

/** Ends the wait of another thread with a result code, if its state is still `state`. */
export function endWait(tcb: Tcb, state: number, code: Result, holder: number): boolean {
  const id = peek(tcb + TCB_ID);
  const mine = LOCK | (state & ~KIND_MASK & ~INDEX_MASK) | holder;
  if (state !== mine && compareExchange(tcb + TCB_STATE, state, mine) !== state) return false;
  if ((state & KIND_MASK) === POLL) removeFromQueue(pollingQueue(tcbAt(state & INDEX_MASK)), tcb, holder);
  putKernelError(tcb, ERROR | 1, code);
  // SYNC POINT: pairs with awaitMessage of the waiting thread.
  if ((exchange(tcb + TCB_STATE, running(id)) & PARKED) !== 0) wake(tcb);
  return true;
}

function abortTransfer(live: Tcb, dead: Tcb): void {
  for (const at of [live + TCB_FILLED, dead + TCB_DRAINED]) {
    store(at, -1);
    notify(at);
  }
}

/** Step 3: locks that a thread of the dead task held. */
function breakLocks(task: number, processor: number): void {
  breakLock(HEADER_WINDOW_LOCK, task);
  breakLock(processorAt(processor) + PROCESSOR_INBOX, task);
  for (let index = 1; index <= threadsEnd(); index++) breakLock(tcbAt(index) + TCB_QUEUE_LOCK, task);
}

function breakLock(at: number, task: number): void {
  const held = load(at);
  if (held === 0 || !isOf(tcbAt(held & ~QUEUE_CONTENDED & INDEX_MASK), task)) return;
  compareExchange(at, held, 0);
  notify(at);
}

/** Step 4. Whoever is rung for nothing looks at its state word and sleeps again. */
function ringEverybody(): void {
  for (let index = 1; index <= threadsEnd(); index++) {
    const tcb = tcbAt(index);
    if ((load(tcb + TCB_STATE) & PARKED) !== 0) wake(tcb);
  }
}

/** Gives the records of a repaired task's threads back. */
export function freeThreads(task: TaskRecord, holder: number): void {
  const id = peek(task + TASK_ID);
  for (let index = 1; index <= threadsEnd(); index++) {
    if (isOf(tcbAt(index), id)) freeThread(tcbAt(index), holder);
  }
}

/** Cancels the ipc operation that a thread waits in, if no partner has claimed it. True when there was one. */
export function cancel(tcb: Tcb, code: Result, holder: number): boolean {
  const state = load(tcb + TCB_STATE);
  const kind = state & KIND_MASK;
  return (kind === WAIT || kind === POLL) && endWait(tcb, state, code, holder);
}
