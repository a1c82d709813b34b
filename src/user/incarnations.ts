/**
 * The incarnations of a task. A task that is started again is a new task record, with a processor and threads of its
 * own; all of them bear the id of the first, their *origin*. Who holds a task finds its present incarnation here, by
 * reading task records, and sleeps on the word that the supervisor rings when there may be another.
 */
import { inspect } from 'node:util';
import { add, load, peek } from '#atomics';
import { HEADER_BEAT, HEADER_RESTARTS, HEADER_TASKS_MAX } from '../layout/map.ts';
import { INDEX_MASK, LISTEN_SLICE_ms, SILENT_SLICES_MAX } from '../layout/params.ts';
import {
  RESTART_ALWAYS,
  RESTART_ON_FAILURE,
  TASK_ALIVE,
  TASK_DEAD,
  TASK_EXIT_CODE,
  TASK_ID,
  TASK_ORIGIN,
  TASK_REASON,
  TASK_REASON_BYTES,
  TASK_REASON_MAX,
  TASK_REPLACED,
  TASK_RESTART,
  TASK_RESTARTS,
  TASK_STARTING,
  TASK_STATE,
  taskAt,
  type TaskRecord,
} from '../layout/task.ts';
import { notify, wait } from '../platform/wait.ts';
import { putText, takeText } from './text.ts';

export const recordOf = (taskId: number): TaskRecord => taskAt(taskId & INDEX_MASK);

/** The origin of the task in a record: its own id when it has only one incarnation. */
const originIn = (task: TaskRecord): number => peek(task + TASK_ORIGIN) || peek(task + TASK_ID);

/** The origin of a task, alive or dead; its own id when its record has had another use since. */
export function originOf(taskId: number): number {
  const task = recordOf(taskId);
  return peek(task + TASK_ID) === taskId ? originIn(task) : taskId;
}

/** No incarnation can be reached, and another one is to come. */
export const COMING = -1;
/** The task has ended for good. */
export const GONE = 0;

/** The present incarnation of a task, COMING, or GONE. */
export function incarnationOf(origin: number): TaskRecord | typeof COMING | typeof GONE {
  for (;;) {
    const rung = load(HEADER_RESTARTS);
    const found = search(origin);
    // A successor may have been made behind our back, and its predecessor freed before we came to it.
    if (found !== GONE || load(HEADER_RESTARTS) === rung) return found;
  }
}

function search(origin: number): TaskRecord | typeof COMING | typeof GONE {
  let isComing = false;
  const end = peek(HEADER_TASKS_MAX);
  for (let index = 1; index <= end; index++) {
    const task = taskAt(index);
    const state = load(task + TASK_STATE);
    if (state === 0 || originIn(task) !== origin) continue;
    if (state === TASK_ALIVE || state === TASK_STARTING) return task;
    if (state === TASK_REPLACED || (state === TASK_DEAD && isRestarted(task))) isComing = true;
  }
  return isComing ? COMING : GONE;
}

/** Whether another incarnation may follow the end of this one; the supervisor decides. */
export const isRestarted = (task: TaskRecord): boolean =>
  (peek(task + TASK_RESTART) & (RESTART_ON_FAILURE | RESTART_ALWAYS)) !== 0;

/** States why a task has ended: a longer text is cut between characters. */
export function setReason(task: TaskRecord, reason: string): void {
  putText(task + TASK_REASON, task + TASK_REASON_BYTES, TASK_REASON_MAX, reason);
}

export const reasonIn = (task: TaskRecord): string => takeText(task + TASK_REASON, task + TASK_REASON_BYTES);

/** The reason of an end with this exit code, and with what its worker threw. */
export function reasonFor(code: number, error: unknown): string {
  if ((error as { code?: string } | null | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'out of memory';
  if (error instanceof Error) return error.message;
  if (error !== undefined) return `threw ${typeof error === 'string' ? error : inspect(error)}`;
  return code === 0 ? 'ended by itself' : `exit code ${code}`;
}

/** How a task ended. */
export interface End {
  readonly code: number;
  readonly reason: string;
}

const endIn = (task: TaskRecord): End => {
  const code = peek(task + TASK_EXIT_CODE);
  return { code, reason: reasonIn(task) || reasonFor(code, undefined) };
};

/** How this very incarnation ended; null while it lives, and when its record has had another use since. */
export function endOfIncarnation(taskId: number): End | null {
  const task = recordOf(taskId);
  const state = load(task + TASK_STATE);
  const isOver = state === 0 || state === TASK_DEAD || state === TASK_REPLACED;
  return isOver && peek(task + TASK_ID) === taskId ? endIn(task) : null;
}

/**
 * How a task ended that is GONE, by the id of any incarnation; null when the record of its last one has had another use
 * since.
 */
export function endOf(taskId: number): End | null {
  const known = recordOf(taskId);
  // Whatever was succeeded says so still; this one was not, and there is no need to search for 100,000 callers.
  if (peek(known + TASK_ID) === taskId && peek(known + TASK_RESTART) === 0) return endIn(known);
  const origin = originOf(taskId);
  let last: TaskRecord | 0 = 0;
  let restarts = -1;
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) {
    const task = taskAt(index);
    if (peek(task + TASK_ID) === 0 || originIn(task) !== origin || peek(task + TASK_RESTARTS) <= restarts) continue;
    restarts = peek(task + TASK_RESTARTS);
    last = task;
  }
  return last === 0 ? null : endIn(last);
}

/** Whoever waits for another incarnation of a task looks again. */
export function ringRestarts(): void {
  add(HEADER_RESTARTS, 1);
  notify(HEADER_RESTARTS);
}

/** Waits in slices for the supervisor's ring, and gives up when it no longer shows that it lives. */
export class RingWait {
  private beat = 0;
  private silentSlices = 0;

  /** Sleeps until there is a ring after `rung` was read, at most `timeout_ms`. False: the supervisor has ended. */
  sleep(rung: number, timeout_ms: number): boolean {
    const sleptThrough = wait(HEADER_RESTARTS, rung, Math.min(timeout_ms, LISTEN_SLICE_ms));
    if (!sleptThrough || timeout_ms < LISTEN_SLICE_ms) return true;
    const heard = load(HEADER_BEAT);
    this.silentSlices = heard === 0 || heard !== this.beat ? 0 : this.silentSlices + 1;
    this.beat = heard;
    return this.silentSlices < SILENT_SLICES_MAX;
  }
}
