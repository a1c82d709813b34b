/**
 * Clans and chiefs: a task is made by its chief; all tasks of one chief are its clan. A message inside a clan, or
 * between a chief and a member of its own clan, goes straight; any other goes to the nearest chief on the way (the
 * routing of L3's `nchief`), who may pass it on. The compare is in the fast path, the routing here.
 */
import { peek } from '#atomics';
import { DENIED } from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { TASK_CHIEF, TASK_DEPTH, TASK_ID, TASK_INSPECTOR, taskAt, type TaskId } from '../layout/task.ts';
import { type Tcb, TCB_CHIEF, TCB_TASK } from '../layout/tcb.ts';

/** Whether a message between the two threads crosses no border that a chief watches. Symmetric. */
export const sameClan = (a: Tcb, b: Tcb): boolean => {
  const chiefOfA = peek(a + TCB_CHIEF);
  const chiefOfB = peek(b + TCB_CHIEF);
  return chiefOfA === chiefOfB || chiefOfB === peek(a + TCB_TASK) || chiefOfA === peek(b + TCB_TASK);
};

const chiefOf = (task: TaskId): TaskId => peek(taskAt(task & INDEX_MASK) + TASK_CHIEF) as TaskId;
const depthOf = (task: TaskId): number => peek(taskAt(task & INDEX_MASK) + TASK_DEPTH);

/**
 * The task that a message from task `from` to task `to` must be given to: `to` itself, the chief of the subclan that
 * contains it, or the sender's own chief.
 */
export function nearestPartner(from: TaskId, to: TaskId): TaskId {
  const myChief = chiefOf(from);
  if (chiefOf(to) === myChief || to === myChief || chiefOf(to) === from) return to;
  const myDepth = depthOf(from);
  for (let task = to; depthOf(task) > myDepth;) {
    const chief = chiefOf(task);
    if (chief === from) return task;
    if (chiefOf(chief) === myChief || chief === myChief) return chief === myChief ? task : chief;
    task = chief;
  }
  return myChief;
}

/**
 * The thread that gets a message from `self` to `partner` across a clan's border: the inspector of the nearest chief.
 * Negative: a result code, negated, when that chief takes none.
 */
export function redirect(self: Tcb, partner: Tcb): number {
  const from = peek(self + TCB_TASK) as TaskId;
  const to = peek(partner + TCB_TASK) as TaskId;
  const nearest = taskAt(nearestPartner(from, to) & INDEX_MASK);
  const inspector = peek(nearest + TASK_ID) === 0 ? 0 : peek(nearest + TASK_INSPECTOR);
  return inspector === 0 ? -DENIED : inspector;
}
