/**
 * Death and its repair. The order is what makes it safe: first the dead thread can no longer be claimed, then whoever
 * had a hope in it is answered, then the record may be used again.
 *
 *   1. locks it holds are broken, and what they guarded is linked afresh.
 *   2. state word to DEAD by compare-exchange. A live claimer is waited for; a dead one is undone.
 *   3. everybody who waits for it, polls for it, is locked by it, or is in a long transfer with it, gets PEER_GONE;
 *      NOT_TAKEN when it polled.
 *   4. every living thread of the system is rung: one may have died between its publication and the notify.
 *
 * A thread that begins to wait for the dead one meanwhile sees DEAD after it has stored its own state, or is seen by
 * the scan: one of the two. Repair is idempotent, and any live agent may do it.
 */
import { add, compareExchange, exchange, load, peek, store } from '#atomics';
import { notify, spinLoads, wait } from '#wait';
import { HEADER_NAME_LOCK, HEADER_TASKS_MAX, HEADER_THREADS_MAX, HEADER_WINDOW_LOCK } from '../layout/map.ts';
import { ERROR, NOT_TAKEN, PEER_GONE, type Result } from '../layout/message.ts';
import { INDEX_MASK, LISTEN_SLICE_ms } from '../layout/params.ts';
import {
  PROCESSOR_ENDED,
  PROCESSOR_INBOX,
  processorAt,
  TASK_DEAD,
  TASK_ID,
  TASK_STATE,
  type TaskRecord,
} from '../layout/task.ts';
import type { Tcb } from '../layout/tcb.ts';
import {
  DEAD,
  HOME_POLL,
  HOME_WAIT,
  KIND_MASK,
  LOCK,
  PARKED,
  POLL,
  QUEUE_CONTENDED,
  RUN,
  running,
  TCB_DRAINED,
  TCB_FILLED,
  TCB_ID,
  TCB_STATE,
  TCB_TAKEN,
  TCB_TRANSFER,
  tcbAt,
  tcbOf,
} from '../layout/tcb.ts';
import { hasBody } from './dispatch.ts';
import { processorOf, wake } from './park.ts';
import { queueOf, rebuildQueue, removeFromQueue, unlockQueue } from './queue.ts';
import { freeThread } from './tcb.ts';
import { LOOK_AGAIN, putKernelError } from './transfer.ts';
import { endHomeWait } from './wakeup.ts';
import { settleWindows } from './window.ts';

const threadsEnd = (): number => peek(HEADER_THREADS_MAX);
const isOf = (tcb: Tcb, task: number): boolean => peek(tcb + TCB_TAKEN) === task;
/** Of this task, or of another whose agent has ended as well, and whose repair may be the next thing that we do. */
const isGone = (tcb: Tcb, task: number): boolean => isOf(tcb, task) || load(processorOf(tcb) + PROCESSOR_ENDED) !== 0;

/**
 * Ends every thread of a task and answers all who depend on it. `holder` is the index of a live thread of the repairing
 * agent. The caller must know that no code of the task runs any more, or be that code's last act.
 */
export function repairTask(task: TaskRecord, holder: number): void {
  const id = peek(task + TASK_ID);
  store(task + TASK_STATE, TASK_DEAD);
  breakLocks(id, holder);
  for (let index = 1; index <= threadsEnd(); index++) {
    if (isOf(tcbAt(index), id)) markDead(tcbAt(index), id, holder);
  }
  for (let index = 1; index <= threadsEnd(); index++) {
    if (peek(tcbAt(index) + TCB_TAKEN) !== 0) answer(tcbAt(index), id, holder);
  }
  ringEverybody();
}

/** Step 2: DEAD, once no live thread is writing into the record. */
function markDead(tcb: Tcb, task: number, holder: number): void {
  for (;;) {
    const state = load(tcb + TCB_STATE);
    if (state === DEAD) return;
    if ((state & KIND_MASK) === LOCK && isClaimedAlive(state, task)) continue;
    if (compareExchange(tcb + TCB_STATE, state, DEAD) === state) break;
  }
  removeFromQueue(tcb, holder);
}

const isClaimedAlive = (state: number, task: number): boolean => {
  const claimer = tcbAt(state & INDEX_MASK);
  return load(claimer + TCB_STATE) !== DEAD && !isGone(claimer, task);
};

/** Step 3 for one living thread: ends its wait if it is for a thread of the dead task. */
function answer(tcb: Tcb, task: number, holder: number): void {
  const partnerOfTransfer = load(tcb + TCB_TRANSFER);
  if (partnerOfTransfer !== 0 && isOf(tcbOf(partnerOfTransfer), task)) endTransfer(tcb, tcbOf(partnerOfTransfer));
  for (;;) {
    const state = load(tcb + TCB_STATE);
    const kind = state & KIND_MASK;
    if (kind === RUN || state === DEAD) return;
    const partner = tcbAt(state & INDEX_MASK);
    if (!isOf(partner, task) || load(partner + TCB_STATE) !== DEAD) return;
    const code = kind === POLL || kind === HOME_POLL ? NOT_TAKEN : PEER_GONE;
    // It waits for a thread of its own processor, so that the repair is done there.
    if (kind === HOME_WAIT || kind === HOME_POLL) return endHomeWait(processorOf(tcb), tcb, code);
    if (endWait(tcb, state, code, holder)) return;
  }
}

/** Ends the wait of another thread with a result code, if its state is still `state`. */
export function endWait(tcb: Tcb, state: number, code: Result, holder: number): boolean {
  const id = peek(tcb + TCB_ID);
  const mine = LOCK | (state & ~KIND_MASK & ~INDEX_MASK) | holder;
  if (state !== mine && compareExchange(tcb + TCB_STATE, state, mine) !== state) return false;
  removeFromQueue(tcb, holder);
  putKernelError(tcb, ERROR | 1, code);
  // SYNC POINT: pairs with awaitMessage of the waiting thread.
  if ((exchange(tcb + TCB_STATE, running(id)) & PARKED) !== 0) wake(tcb);
  return true;
}

/** Makes `live` look whether its partner lives. It may be in another transfer by now, and then finds that it does. */
function endTransfer(live: Tcb, dead: Tcb): void {
  for (const at of [live + TCB_FILLED, dead + TCB_DRAINED]) {
    add(at, LOOK_AGAIN);
    notify(at);
  }
}

/** Step 1: locks that a thread of the dead task held. */
function breakLocks(task: number, holder: number): void {
  if (breakLock(HEADER_WINDOW_LOCK, task, holder)) {
    settleWindows(threadsEnd());
    unlockQueue(HEADER_WINDOW_LOCK);
  }
  if (breakLock(HEADER_NAME_LOCK, task, holder)) unlockQueue(HEADER_NAME_LOCK);
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) {
    repairQueue(processorAt(index) + PROCESSOR_INBOX, task, holder);
  }
  for (let index = 1; index <= threadsEnd(); index++) repairQueue(queueOf(tcbAt(index)), task, holder);
}

/** Takes a lock over from a dead holder; whoever sleeps on it is waked by the unlocking. */
function breakLock(at: number, task: number, holder: number): boolean {
  for (;;) {
    const held = load(at);
    if (held === 0 || !isGone(tcbAt(held & INDEX_MASK), task)) return false;
    if (compareExchange(at, held, holder | (held & QUEUE_CONTENDED)) === held) return true;
  }
}

function repairQueue(queue: number, task: number, holder: number): void {
  if (!breakLock(queue, task, holder)) return;
  rebuildQueue(queue, threadsEnd());
  unlockQueue(queue);
}

/** Step 4. A published word has lost its parked bit, so all are rung; who is for nothing looks, and sleeps again. */
function ringEverybody(): void {
  for (let index = 1; index <= threadsEnd(); index++) {
    const tcb = tcbAt(index);
    if (load(tcb + TCB_STATE) !== DEAD) wake(tcb);
  }
}

/** Gives the records of a repaired task's threads back, once nobody copies into their windows. */
export function freeThreads(task: TaskRecord, holder: number): void {
  const id = peek(task + TASK_ID);
  for (let index = 1; index <= threadsEnd(); index++) awaitCopy(tcbAt(index), id);
  for (let index = 1; index <= threadsEnd(); index++) {
    if (isOf(tcbAt(index), id)) freeThread(tcbAt(index), holder);
  }
}

/**
 * Waits while a live thread may be in the midst of a copy into the window of a dead one. Not for ever: its agent may
 * have died as well, and its repair be the next thing that we do.
 */
function awaitCopy(tcb: Tcb, task: number): void {
  const partner = load(tcb + TCB_TRANSFER);
  if (partner === 0 || !isOf(tcbOf(partner), task) || load(tcb + TCB_STATE) === DEAD) return;
  wait(tcb + TCB_TRANSFER, partner, LISTEN_SLICE_ms);
}

/** Naps of 1 ms until a claim ends: it lasts one copy into a window, longer only where its holder's agent is off. */
const CLAIM_NAPS = 100;

/**
 * Cancels the ipc operation that a thread waits in, unless a partner gives it its message. True when there was one. The
 * wait of a multiplexed thread ends only from its own processor.
 */
export function cancel(tcb: Tcb, code: Result, holder: number): boolean {
  for (let spins = spinLoads; spins > -CLAIM_NAPS; spins--) {
    const state = load(tcb + TCB_STATE);
    const kind = state & KIND_MASK;
    if (kind === RUN || state === DEAD) return false;
    if (kind === HOME_WAIT || kind === HOME_POLL) {
      if (hasBody(tcb)) endHomeWait(processorOf(tcb), tcb, code);
      return hasBody(tcb);
    }
    // A late reply takes its claim back, and a call that is taken out of the queue goes on waiting.
    if (kind !== LOCK && endWait(tcb, state, code, holder)) return true;
    if (kind === LOCK && spins <= 0) wait(tcb + TCB_STATE, state, 1);
  }
  return false;
}
