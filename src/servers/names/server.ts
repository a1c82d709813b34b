/**
 * The name server: which task is found under which name. The table stands in the task records of kernel memory, a flag
 * beside each task's label, and this code is run by whoever registers or looks up; docs/decisions/names-by-lookup.md
 * says why it is not a process. All policy of names is here.
 *
 * Invariants: at most one task has a name, since registering takes the lock of names; a name whose task is started
 * again is found at every moment; a name is free when its task has ended for good, or did not start. The instances of a
 * pool have names of their own, the first that of the pool, which is taken as long as one of them lives.
 */
import { load, peek, store } from '#atomics';
import { lockQueue, unlockQueue } from '../../kernel/queue.ts';
import { HEADER_NAME_LOCK, HEADER_RESTARTS, HEADER_TASKS_MAX } from '../../layout/map.ts';
import {
  TASK_DEAD,
  TASK_FREE,
  TASK_ID,
  TASK_NAME_MAX,
  TASK_REGISTERED,
  TASK_STATE,
  taskAt,
  type TaskRecord,
} from '../../layout/task.ts';
import { isRestarted, originOf, ringRestarts } from '../../user/incarnations.ts';
import { nameOf, setName } from '../../user/names.ts';
import { byteLength } from '../../user/text.ts';

const ALONE = 1;

/**
 * Gives a task a name under which it is found. False: another has it. Throws a RangeError when it is too long. `holder`
 * is the index of a live thread of this agent, which takes the lock. `pool` is the id of the pool that the task is an
 * instance of, 0 for none.
 */
export function register(task: TaskRecord, name: string, holder: number, pool = 0): boolean {
  if (byteLength(name) > TASK_NAME_MAX) {
    throw new RangeError(`the name '${name.slice(0, 40)}…' is longer than ${TASK_NAME_MAX} bytes`);
  }
  lockQueue(HEADER_NAME_LOCK, holder);
  const isFree = find(name) === null;
  if (isFree) {
    setName(task, name);
    store(task + TASK_REGISTERED, pool === 0 ? ALONE : pool);
  }
  unlockQueue(HEADER_NAME_LOCK);
  return isFree;
}

/** Frees the name of a task that did not start, or will not be started again. It stays its label. */
export const release = (task: TaskRecord): void => store(task + TASK_REGISTERED, 0);

/** Gives the name of a task to its next incarnation, which has the label already. */
export function pass(from: TaskRecord, to: TaskRecord): void {
  store(to + TASK_REGISTERED, peek(from + TASK_REGISTERED));
  // SYNC POINT: pairs with find. Who looked at `to` before and looks at `from` after sees that it must look again.
  ringRestarts();
  store(from + TASK_REGISTERED, 0);
}

/** The pool that a task is an instance of; 0 for none. */
function poolIn(task: TaskRecord): number {
  const registered = load(task + TASK_REGISTERED);
  return registered === ALONE ? 0 : registered;
}

/** The id of the pool that has this name, when the task is an instance of it; else 0. */
export function poolNamed(name: string, task: TaskRecord): number {
  const pool = poolIn(task);
  if (pool === 0) return 0;
  const own = nameOf(task);
  const isFirst = originOf(peek(task + TASK_ID)) === pool;
  return (isFirst ? own : own.slice(0, own.lastIndexOf('#'))) === name ? pool : 0;
}

/** The instances of a pool, those too that may be started again. */
export const instancesOf = (pool: number): TaskRecord[] => list().filter((task) => poolIn(task) === pool);

/**
 * The task found under a name: one that lives, or that has just ended and may be started again. Under that of a pool
 * any of its instances, the first while it lives.
 */
export function find(name: string): TaskRecord | null {
  for (;;) {
    const rung = load(HEADER_RESTARTS);
    const tasks = list();
    const found = tasks.find((task) => nameOf(task) === name) ?? tasks.find((task) => poolNamed(name, task) !== 0);
    if (found !== undefined) return found;
    if (load(HEADER_RESTARTS) === rung) return null;
  }
}

/** Every task that is found by its name. */
export function list(): TaskRecord[] {
  const tasks: TaskRecord[] = [];
  const end = peek(HEADER_TASKS_MAX);
  for (let index = 1; index <= end; index++) {
    const task = taskAt(index);
    const state = load(task + TASK_STATE);
    if (state === TASK_FREE || (state === TASK_DEAD && !isRestarted(task))) continue;
    if (load(task + TASK_REGISTERED) !== 0) tasks.push(task);
  }
  return tasks;
}
