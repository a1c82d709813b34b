/**
 * Names of tasks as labels, for people: they stand in the task records, in UTF-8. Which task is *found* under a name is
 * a server's business (servers/names).
 */
import { load, peek } from '#atomics';
import { HEADER_TASKS_MAX } from '../layout/map.ts';
import type { TaskRecord } from '../layout/task.ts';
import { TASK_DEAD, TASK_FREE, TASK_NAME, TASK_NAME_BYTES, TASK_NAME_MAX, TASK_STATE, taskAt } from '../layout/task.ts';
import { putText, takeText } from './text.ts';

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

/** Labels a task: a longer name is cut between characters. */
export function setName(task: TaskRecord, name: string): void {
  putText(task + TASK_NAME, task + TASK_NAME_BYTES, TASK_NAME_MAX, name);
}
