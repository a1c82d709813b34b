/**
 * Making and unmaking threads, tasks and processors: the only writers of identities. A free record is searched from
 * where the last search ended, so that an index, and with it a generation, is reused as late as possible.
 */
import { add, compareExchange, load, peek, poke, store } from '#atomics';
import {
  HEADER_HASH,
  HEADER_MAGIC,
  HEADER_TASK_CURSOR,
  HEADER_TASKS_MAX,
  HEADER_THREAD_CURSOR,
  HEADER_THREADS_MAX,
  HEADER_VERSION,
  HEADER_WINDOW_NEXT,
} from '../layout/map.ts';
import { GENERATION_MASK, INDEX_MASK, LAYOUT_VERSION, MAGIC } from '../layout/params.ts';
import type { Processor, TaskId, TaskRecord } from '../layout/task.ts';
import {
  processorAt,
  PROCESSOR_TASK,
  PROCESSOR_WORDS,
  TASK_CHIEF,
  TASK_DEPTH,
  TASK_FREE,
  TASK_ID,
  TASK_KIND,
  TASK_PROCESSOR,
  TASK_STARTING,
  TASK_STATE,
  TASK_WORDS,
  taskAt,
} from '../layout/task.ts';
import type { Tcb, ThreadId } from '../layout/tcb.ts';
import {
  DEAD,
  generationOf,
  running,
  TCB_BELL,
  TCB_CHIEF,
  TCB_HOME,
  TCB_ID,
  TCB_PROCESSOR,
  TCB_STATE,
  TCB_TAKEN,
  TCB_TASK,
  TCB_WORDS,
  tcbAt,
  threadIdOf,
} from '../layout/tcb.ts';
import { processorOf } from './park.ts';
import { dequeue, queueOf } from './queue.ts';
import { removeReady } from './ready.ts';
import { unlinkWakeup } from './wakeup.ts';
import { freeWindow, WINDOWS_START } from './window.ts';

export { giveWindow } from './window.ts';

/** Prepares fresh kernel memory. Limits: how many threads and tasks may exist at one time. */
export function formatMemory(threads_max: number, tasks_max: number, layoutHash: number): void {
  poke(HEADER_VERSION, LAYOUT_VERSION);
  poke(HEADER_HASH, layoutHash);
  poke(HEADER_THREADS_MAX, threads_max);
  poke(HEADER_TASKS_MAX, tasks_max);
  poke(HEADER_THREAD_CURSOR, 1);
  poke(HEADER_TASK_CURSOR, 1);
  poke(HEADER_WINDOW_NEXT, WINDOWS_START);
  store(HEADER_MAGIC, MAGIC);
}

/** Whether this agent's kernel memory belongs to a running system of this very layout. */
export const isFormatted = (layoutHash: number): boolean =>
  load(HEADER_MAGIC) === MAGIC && peek(HEADER_VERSION) === LAYOUT_VERSION && peek(HEADER_HASH) === layoutHash;

/**
 * Takes a free record, one from the cursor on, by `mark` in its word: that of record i is `word + i * words`. Returns
 * its index, 0 when all `max` are in use. No count is kept beside: who is ended here has taken a record or has not.
 */
function takeIndex(cursor: number, max: number, word: number, words: number, mark: number): number {
  for (let tries = 0; tries <= max; tries++) {
    const index = (add(cursor, 1) % max) + 1;
    const at = word + index * words;
    if (load(at) === 0 && compareExchange(at, 0, mark) === 0) return index;
  }
  return 0;
}

/**
 * Makes a thread of `task` on `processor`, running, without a window. `home`: it is multiplexed there. Returns its id,
 * or 0 when the system has all the threads it may have.
 */
export function createThread(task: TaskRecord, processor: Processor, home: boolean): ThreadId {
  const max = peek(HEADER_THREADS_MAX);
  const owner = peek(task + TASK_ID);
  // Whoever is ended at the next step has taken it in the name of its task, whose repair finds it so.
  const index = takeIndex(HEADER_THREAD_CURSOR, max, tcbAt(0) + TCB_TAKEN, TCB_WORDS, owner);
  if (index === 0) return 0 as ThreadId;
  const tcb = tcbAt(index);
  const generation = generationOf(peek(tcb + TCB_ID)) + 1;
  const id = threadIdOf(index, generation > GENERATION_MASK ? 1 : generation);
  poke(tcb + TCB_ID, id);
  poke(tcb + TCB_TASK, owner);
  poke(tcb + TCB_CHIEF, peek(task + TASK_CHIEF));
  poke(tcb + TCB_PROCESSOR, (processor - processorAt(0)) / PROCESSOR_WORDS);
  poke(tcb + TCB_BELL, 0);
  poke(tcb + TCB_HOME, home ? 1 : 0);
  store(tcb + TCB_STATE, running(id));
  return id;
}

/**
 * Gives the record of a dead thread back. Its identity stays: whoever asks for that thread later learns that it is
 * gone. So does the queue: a sender that comes too late takes itself out again, and may hold the lock now. All else is
 * wiped, so that the next thread begins as in fresh memory. Whoever is ended meanwhile is repaired by doing it again.
 */
export function freeThread(tcb: Tcb, holder: number): void {
  freeWindow(tcb, holder);
  store(tcb + TCB_STATE, DEAD);
  // The lists of another processor are dead as it is, and may be torn.
  if (processorOf(tcb) === processorOf(tcbAt(holder))) {
    unlinkWakeup(processorOf(tcb), tcb);
    removeReady(processorOf(tcb), tcb);
  }
  while (dequeue(queueOf(tcb), holder) !== 0);
  for (let i = 1; i < TCB_ID; i++) if ((tcb + i) >> 4 !== queueOf(tcb) >> 4) poke(tcb + i, 0);
  store(tcb + TCB_TAKEN, 0);
}

/** Makes a task whose chief is `chief` (0 for the first), with a processor of its own unless one is given. */
export function createTask(chief: TaskId, kind: number, processor: Processor | 0): TaskId {
  const max = peek(HEADER_TASKS_MAX);
  const index = takeIndex(HEADER_TASK_CURSOR, max, taskAt(0) + TASK_STATE, TASK_WORDS, ~chief);
  if (index === 0) return 0 as TaskId;
  const task = taskAt(index);
  const generation = generationOf(peek(task + TASK_ID)) + 1;
  const id = threadIdOf(index, generation > GENERATION_MASK ? 1 : generation) as number as TaskId;
  for (let i = TASK_ID + 1; i < TASK_WORDS; i++) poke(task + i, 0);
  poke(task + TASK_ID, id);
  poke(task + TASK_CHIEF, chief);
  poke(task + TASK_DEPTH, chief === 0 ? 0 : peek(taskAt(chief & INDEX_MASK) + TASK_DEPTH) + 1);
  poke(task + TASK_KIND, kind);
  // A task in an agent of its own has the processor of its index; a local task lives on its maker's.
  const own = processor === 0 ? processorAt(index) : processor;
  for (let i = 0; i < PROCESSOR_WORDS && processor === 0; i++) poke(own + i, i === PROCESSOR_TASK ? id : 0);
  poke(task + TASK_PROCESSOR, (own - processorAt(0)) / PROCESSOR_WORDS);
  store(task + TASK_STATE, TASK_STARTING);
  return id;
}

/** Gives a task record back, its threads being freed. */
export function freeTask(task: TaskRecord): void {
  store(task + TASK_STATE, TASK_FREE);
}
