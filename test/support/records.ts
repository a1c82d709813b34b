/** How many records of kernel memory are taken: what a test leaves behind. */
import { load, peek } from '../../src/platform/atomics.ts';
import { HEADER_TASKS_MAX, HEADER_THREADS_MAX } from '../../src/layout/map.ts';
import { TASK_FREE, TASK_STATE, taskAt } from '../../src/layout/task.ts';
import { TCB_TAKEN, tcbAt } from '../../src/layout/tcb.ts';

export function countThreads(): number {
  let count = 0;
  for (let index = 1; index <= peek(HEADER_THREADS_MAX); index++) if (load(tcbAt(index) + TCB_TAKEN) !== 0) count++;
  return count;
}

export function countTasks(): number {
  let count = 0;
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) {
    if (load(taskAt(index) + TASK_STATE) !== TASK_FREE) count++;
  }
  return count;
}
