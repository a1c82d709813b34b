/**
 * Names of tasks. A task's name stands in its record, in UTF-8; `lookup` reads the records. Registering takes a lock,
 * so that two tasks cannot get one name.
 */
import { load, peek, poke } from '#atomics';
import { lockQueue, unlockQueue } from '../kernel/queue.ts';
import { HEADER_NAME_LOCK, HEADER_TASKS_MAX } from '../layout/map.ts';
import type { TaskRecord } from '../layout/task.ts';
import {
  TASK_DEAD,
  TASK_FREE,
  TASK_NAME,
  TASK_NAME_BYTES,
  TASK_NAME_MAX,
  TASK_REGISTERED,
  TASK_STATE,
  taskAt,
} from '../layout/task.ts';
import { isRestarted } from './incarnations.ts';
import { byteLength, putText, takeText } from './text.ts';

/** Every task record in use. */
export function liveTasks(): TaskRecord[] {
  const tasks: TaskRecord[] = [];
  const end = peek(HEADER_TASKS_MAX);
  for (let index = 1; index <= end; index++) {
    const state = load(taskAt(index) + TASK_STATE);
    if (state !== TASK_FREE && state !== TASK_DEAD) tasks.push(taskAt(index));
  }
  return tasks;
}

export const nameOf = (task: TaskRecord): string => takeText(task + TASK_NAME, task + TASK_NAME_BYTES);

/** Names a task, without registering: a longer name is cut between characters. */
export function setName(task: TaskRecord, name: string): void {
  putText(task + TASK_NAME, task + TASK_NAME_BYTES, TASK_NAME_MAX, name);
}

/**
 * Names a task and makes the name findable. False: another live task has it. Throws a RangeError when it is too long.
 */
export function registerName(task: TaskRecord, name: string, holder: number): boolean {
  if (byteLength(name) > TASK_NAME_MAX) {
    throw new RangeError(`the name '${name.slice(0, 40)}…' is longer than ${TASK_NAME_MAX} bytes`);
  }
  lockQueue(HEADER_NAME_LOCK, holder);
  const isFree = findTask(name) === null;
  if (isFree) {
    setName(task, name);
    poke(task + TASK_REGISTERED, 1);
  }
  unlockQueue(HEADER_NAME_LOCK);
  return isFree;
}

/** The task registered under a name: one that lives, or that has just ended and may be started again. */
export function findTask(name: string): TaskRecord | null {
  const end = peek(HEADER_TASKS_MAX);
  for (let index = 1; index <= end; index++) {
    const task = taskAt(index);
    const state = load(task + TASK_STATE);
    if (state === TASK_FREE || (state === TASK_DEAD && !isRestarted(task))) continue;
    if (peek(task + TASK_REGISTERED) === 1 && nameOf(task) === name) return task;
  }
  return null;
}
