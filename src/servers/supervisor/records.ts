/** Task records under the supervisor's hands: making those of further incarnations, and burying the dead. */
import { compareExchange, load, peek, poke, store } from '#atomics';
import { endWait } from '../../kernel/fault.ts';
import { createTask } from '../../kernel/tcb.ts';
import { HEADER_TASKS_MAX, HEADER_THREADS_MAX } from '../../layout/map.ts';
import { NOT_TAKEN, OK } from '../../layout/message.ts';
import {
  TASK_CHIEF,
  TASK_EXIT_CODE,
  TASK_FREE,
  TASK_ID,
  TASK_KIND_WORKER,
  TASK_LOOP_ALIVE,
  TASK_ORIGIN,
  TASK_RESTART,
  TASK_RESTARTS,
  TASK_SPARE,
  TASK_STATE,
  taskAt,
  type TaskId,
  type TaskRecord,
} from '../../layout/task.ts';
import { PARKED, polling, TCB_ID, TCB_STATE, TCB_TAKEN, tcbAt } from '../../layout/tcb.ts';
import { createStandingThreads, discardTask, holder } from '../../user/agent.ts';
import { recordOf, setReason } from '../../user/incarnations.ts';
import { setName } from '../../user/names.ts';
import type { Launch } from '../../tasks/control.ts';

/** What the record of another incarnation says. */
interface Incarnation {
  readonly chief: number;
  readonly launch: Launch;
  readonly origin: number;
  readonly restarts: number;
  readonly isSpare: boolean;
}

/**
 * Makes the record and threads of another incarnation, which nobody finds yet. Returns its task id, 0 when the system
 * has no room.
 */
export function makeRecord({ chief, launch, origin, restarts, isSpare }: Incarnation): number {
  const taskId = createTask(chief as TaskId, TASK_KIND_WORKER, 0);
  if (taskId === 0) return 0;
  const task = recordOf(taskId);
  if (isSpare) store(task + TASK_STATE, TASK_SPARE);
  if (createStandingThreads(taskId) !== OK) {
    discardTask(task);
    return 0;
  }
  setName(task, launch.name);
  poke(task + TASK_RESTART, launch.restart);
  poke(task + TASK_RESTARTS, isSpare ? -1 : restarts);
  poke(task + TASK_LOOP_ALIVE, launch.holds ? 1 : 0);
  // A spare is known as what it is by its state.
  if (isSpare) reveal(task, origin);
  return taskId;
}

/** From here on whoever looks for the present incarnation finds this one. */
export const reveal = (task: TaskRecord, origin: number): void => store(task + TASK_ORIGIN, origin);

/** Repairs what a dead task leaves behind, and gives its records back; the end stays readable until they are reused. */
export function bury(taskId: number, code: number, reason: string): void {
  const task = recordOf(taskId);
  if (peek(task + TASK_ID) !== taskId || load(task + TASK_STATE) === TASK_FREE) return;
  poke(task + TASK_EXIT_CODE, code);
  setReason(task, reason);
  discardTask(task);
}

/** The tasks whose chief is, or was, this one. */
export function orphansOf(chief: number): number[] {
  const found: number[] = [];
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) {
    const task = taskAt(index);
    if (load(task + TASK_STATE) !== TASK_FREE && peek(task + TASK_CHIEF) === chief) found.push(peek(task + TASK_ID));
  }
  return found;
}

/** Gives back what a task had taken, and was writing, when it was ended: there are no threads in it yet. */
export function freeUnwritten(chief: number): void {
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) {
    compareExchange(taskAt(index) + TASK_STATE, ~chief, TASK_FREE);
  }
}

/** Sends away whoever stands in the queue of a server that will never look at it again. */
export function turnAway(server: number): void {
  const end = peek(HEADER_THREADS_MAX);
  for (let index = 1; index <= end; index++) {
    const tcb = tcbAt(index);
    if (peek(tcb + TCB_TAKEN) === 0) continue;
    const state = load(tcb + TCB_STATE);
    if ((state & ~PARKED) === polling(peek(tcb + TCB_ID), server)) endWait(tcb, state, NOT_TAKEN, holder());
  }
}
