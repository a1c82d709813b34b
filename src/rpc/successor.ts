/**
 * Calls that met a task which has ended, or outlived their timeout with a task that is then replaced. A message that
 * was not taken may be sent again, to the next incarnation; one that was taken never.
 */
import { compareExchange, load, peek } from '#atomics';
import { now_ms } from '#wait';
import { HEADER_RESTARTS } from '../layout/map.ts';
import { NEVER, NOT_TAKEN, OK, ORPHANED, type Result, SEND_TIMEOUT } from '../layout/message.ts';
import { INDEX_MASK, LISTEN_SLICE_ms } from '../layout/params.ts';
import {
  REPLACE_ON_TIMEOUT,
  TASK_ALIVE,
  TASK_ID,
  TASK_REPLACED,
  TASK_RESTART,
  TASK_SERVER,
  TASK_STATE,
  taskAt,
  type TaskRecord,
} from '../layout/task.ts';
import type { ThreadId } from '../layout/tcb.ts';
import { COMING, GONE, incarnationOf, RingWait } from '../user/incarnations.ts';
import type { Target } from './call.ts';

/**
 * No thread: a call to it is not taken. What a target is set to whose incarnation has hung, so that the next call looks
 * for another one and does not stand in the queue of that.
 */
export const NOBODY = 0 as ThreadId;

let askToReplace: (taskId: number, timeout_ms: number) => void = () => {};

/** States how the supervisor is asked to replace a task in which a call outlived its timeout. */
export const setReplacer = (ask: (taskId: number, timeout_ms: number) => void): void => {
  askToReplace = ask;
};

/** Whether calls to a task that were not taken may be sent again: another incarnation may follow it. */
export function mayBeSucceeded(taskId: number): boolean {
  const task = taskAt(taskId & INDEX_MASK);
  return peek(task + TASK_ID) !== taskId || peek(task + TASK_RESTART) !== 0;
}

/**
 * A call that task `taskId` had taken has outlived its timeout. True: the task is replaced, for it was spawned so.
 */
export function outlived(taskId: number, timeout_ms: number): boolean {
  const task = taskAt(taskId & INDEX_MASK);
  if (peek(task + TASK_ID) !== taskId || (peek(task + TASK_RESTART) & REPLACE_ON_TIMEOUT) === 0) return false;
  // One caller decides; the others find it decided.
  if (compareExchange(task + TASK_STATE, TASK_ALIVE, TASK_REPLACED) === TASK_ALIVE) askToReplace(taskId, timeout_ms);
  return true;
}

function adopt(target: Target, task: TaskRecord): void {
  target.taskId = peek(task + TASK_ID);
  target.id = peek(task + TASK_SERVER) as ThreadId;
}

export const FOUND = 1;

/** Looks once for the present incarnation. FOUND: the target is that now. COMING: not yet. GONE: there will be none. */
export function retarget(target: Target): typeof FOUND | typeof COMING | typeof GONE {
  const found = incarnationOf(target.origin);
  if (found === COMING) return COMING;
  if (found === GONE) return GONE;
  adopt(target, found);
  return FOUND;
}

/**
 * Waits in place, at most `timeout_ms`, for an incarnation that takes calls. OK: the target is that. NOT_TAKEN: the
 * task has ended for good.
 */
export function awaitSuccessor(target: Target, timeout_ms: number): Result {
  const deadline_ms = timeout_ms === NEVER ? NEVER : now_ms() + timeout_ms;
  const ring = new RingWait();
  for (;;) {
    const rung = load(HEADER_RESTARTS);
    const found = retarget(target);
    if (found === FOUND) return OK;
    if (found === GONE) return NOT_TAKEN;
    const left_ms = deadline_ms === NEVER ? LISTEN_SLICE_ms : deadline_ms - now_ms();
    if (left_ms <= 0) return SEND_TIMEOUT;
    if (!ring.sleep(rung, left_ms)) return ORPHANED;
  }
}
