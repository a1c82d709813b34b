/**
 * `verify` checks all of kernel memory and says, a sentence each, what contradicts the invariants. It reads only, and
 * is exact at a quiescent point: while threads run, a queue may be between two of its stores.
 */
import { load, peek } from '#atomics';
import {
  HEADER_MAGIC,
  HEADER_TASKS_MAX,
  HEADER_THREADS_MAX,
  HEADER_VERSION,
  HEADER_WINDOW_FREE_LARGE,
  HEADER_WINDOW_FREE_SMALL,
  HEADER_WINDOW_LOCK,
  HEADER_WINDOW_NEXT,
} from '../layout/map.ts';
import {
  ANY_INDEX,
  INDEX_MASK,
  LAYOUT_VERSION,
  MAGIC,
  WAKEUP_LISTS,
  WINDOW_BYTES,
  WINDOW_SMALL_BYTES,
} from '../layout/params.ts';
import {
  PROCESSOR_INBOX,
  PROCESSOR_READY_FIRST,
  PROCESSOR_READY_LAST,
  PROCESSOR_WAKEUP,
  processorAt,
  TASK_DEAD,
  TASK_FREE,
  TASK_ID,
  TASK_PROCESSOR,
  TASK_SERVER,
  TASK_STATE,
  taskAt,
} from '../layout/task.ts';
import {
  DEAD,
  HOME_POLL,
  HOME_WAIT,
  KIND_MASK,
  LOCK,
  POLL,
  RUN,
  STATE_GENERATION,
  type Tcb,
  TCB_HOME,
  TCB_ID,
  TCB_POLL_NEXT,
  TCB_POLL_PREVIOUS,
  TCB_QUEUE_FIRST,
  TCB_QUEUE_LAST,
  TCB_QUEUE_LOCK,
  TCB_READY_LINKED,
  TCB_READY_NEXT,
  TCB_STATE,
  TCB_TAKEN,
  TCB_TASK,
  TCB_TICKET,
  TCB_TRANSFER,
  TCB_WAKEUP_LIST,
  TCB_WAKEUP_NEXT,
  TCB_WAKEUP_PREVIOUS,
  TCB_WINDOW,
  TCB_WINDOW_BYTES,
  tcbAt,
  WAIT,
} from '../layout/tcb.ts';
import { pollingQueue } from './park.ts';
import { WINDOWS_START } from './window.ts';

/** Longer than any list can be: a link that leads back. */
const STEPS_MAX = 1 << 17;

/** What is wrong with kernel memory; empty when nothing is. */
export function verify(): string[] {
  const wrong: string[] = [];
  if (peek(HEADER_MAGIC) !== MAGIC) return ['the magic is missing: this is no kernel memory'];
  if (peek(HEADER_VERSION) !== LAYOUT_VERSION) return ['kernel memory has the layout of another version'];
  const queued = new Map<number, number>();
  const end = peek(HEADER_THREADS_MAX);
  for (let index = 1; index <= end; index++) {
    const tcb = tcbAt(index);
    if (peek(tcb + TCB_TAKEN) === 0) {
      if (load(tcb + TCB_STATE) !== DEAD) wrong.push(`thread ${index} is not taken but its state is not DEAD`);
      continue;
    }
    verifyIdentity(wrong, index, tcb);
    verifyQueue(wrong, queued, `the polling-me queue of thread ${index}`, tcb + TCB_QUEUE_LOCK);
  }
  verifyTasks(wrong, queued);
  for (let index = 1; index <= end; index++) {
    if (peek(tcbAt(index) + TCB_TAKEN) !== 0) verifyState(wrong, queued, index, tcbAt(index));
  }
  verifyWindows(wrong, end);
  return wrong;
}

function verifyIdentity(wrong: string[], index: number, tcb: Tcb): void {
  const id = peek(tcb + TCB_ID);
  if ((id & INDEX_MASK) !== index) wrong.push(`thread ${index} has an id of thread ${id & INDEX_MASK}`);
  const task = taskAt(peek(tcb + TCB_TASK) & INDEX_MASK);
  if (peek(task + TASK_ID) !== peek(tcb + TCB_TASK)) wrong.push(`thread ${index} belongs to a task that is gone`);
  if (peek(tcb + TCB_TRANSFER) !== 0) wrong.push(`thread ${index} is in a long transfer`);
}

/** Lists are linked both ways, tickets ascend, and the lock is free. `queued` gets entry → queue. */
function verifyQueue(wrong: string[], queued: Map<number, number>, name: string, queue: number): void {
  if (load(queue) !== 0) wrong.push(`${name} is locked by ${load(queue) & INDEX_MASK}`);
  let previous = 0;
  let steps = 0;
  for (let index = peek(queue + TCB_QUEUE_FIRST - TCB_QUEUE_LOCK); index !== 0 && steps < STEPS_MAX; steps++) {
    const entry = tcbAt(index);
    if (peek(entry + TCB_TAKEN) === 0) wrong.push(`${name} holds thread ${index}, which does not exist`);
    if (peek(entry + TCB_POLL_PREVIOUS) !== previous) wrong.push(`${name}: thread ${index} has a wrong back link`);
    if (previous !== 0 && ((peek(entry + TCB_TICKET) - peek(tcbAt(previous) + TCB_TICKET)) | 0) <= 0) {
      wrong.push(`${name}: thread ${index} stands behind a later arrival`);
    }
    if (queued.has(index)) wrong.push(`thread ${index} stands in two polling-me queues`);
    queued.set(index, queue);
    previous = index;
    index = peek(entry + TCB_POLL_NEXT);
  }
  if (steps === STEPS_MAX) wrong.push(`${name} has no end`);
  if (peek(queue + TCB_QUEUE_LAST - TCB_QUEUE_LOCK) !== previous) wrong.push(`${name} has a wrong last entry`);
}

function verifyTasks(wrong: string[], queued: Map<number, number>): void {
  const end = peek(HEADER_TASKS_MAX);
  for (let index = 1; index <= end; index++) {
    const task = taskAt(index);
    if (load(task + TASK_STATE) === TASK_FREE) continue;
    const server = peek(task + TASK_SERVER);
    if (server !== 0 && peek(tcbAt(server & INDEX_MASK) + TCB_ID) !== server) {
      wrong.push(`task ${index} has a server thread that is gone`);
    }
    if (peek(task + TASK_PROCESSOR) !== index) continue;
    const processor = processorAt(index);
    verifyQueue(wrong, queued, `the inbox of processor ${index}`, processor + PROCESSOR_INBOX);
    // Nobody looks at what the dead have left of their lists.
    if (load(task + TASK_STATE) === TASK_DEAD) continue;
    verifyReady(wrong, index, processor);
    for (let list = 0; list <= WAKEUP_LISTS; list++) verifyWakeup(wrong, index, processor, list);
  }
}

function verifyReady(wrong: string[], index: number, processor: number): void {
  let last = 0;
  let steps = 0;
  for (let entry = peek(processor + PROCESSOR_READY_FIRST); entry !== 0 && steps < STEPS_MAX; steps++) {
    if (peek(tcbAt(entry) + TCB_READY_LINKED) !== 1) wrong.push(`ready queue ${index}: thread ${entry} is not marked`);
    last = entry;
    entry = peek(tcbAt(entry) + TCB_READY_NEXT);
  }
  if (steps === STEPS_MAX) wrong.push(`ready queue ${index} has no end`);
  if (peek(processor + PROCESSOR_READY_LAST) !== last) wrong.push(`ready queue ${index} has a wrong last entry`);
}

function verifyWakeup(wrong: string[], index: number, processor: number, list: number): void {
  const name = `wakeup list ${list} of processor ${index}`;
  let previous = 0;
  let steps = 0;
  for (let entry = peek(processor + PROCESSOR_WAKEUP + list); entry !== 0 && steps < STEPS_MAX; steps++) {
    const tcb = tcbAt(entry);
    if (peek(tcb + TCB_WAKEUP_LIST) !== list + 1) wrong.push(`${name}: thread ${entry} is not marked`);
    if (peek(tcb + TCB_WAKEUP_PREVIOUS) !== previous) wrong.push(`${name}: thread ${entry} has a wrong back link`);
    previous = entry;
    entry = peek(tcb + TCB_WAKEUP_NEXT);
  }
  if (steps === STEPS_MAX) wrong.push(`${name} has no end`);
}

/** The state word agrees with the identity, the partner exists, and who polls stands in the queue it must stand in. */
function verifyState(wrong: string[], queued: Map<number, number>, index: number, tcb: Tcb): void {
  const state = load(tcb + TCB_STATE);
  const kind = state & KIND_MASK;
  if (state === DEAD) return;
  if ((state & STATE_GENERATION) !== (peek(tcb + TCB_ID) & STATE_GENERATION)) {
    wrong.push(`thread ${index} has a state of another generation`);
  }
  if (kind === LOCK) wrong.push(`thread ${index} is locked by thread ${state & INDEX_MASK}`);
  if (kind === RUN || (state & INDEX_MASK) === ANY_INDEX) return;
  const partner = state & INDEX_MASK;
  if (peek(tcbAt(partner) + TCB_TAKEN) === 0)
    wrong.push(`thread ${index} waits for thread ${partner}, which does not exist`);
  if (kind === HOME_POLL && peek(tcb + TCB_HOME) === 0) wrong.push(`thread ${index} polls as a home thread`);
  if (kind === POLL || kind === HOME_POLL) {
    const own = tcbAt(partner) + TCB_QUEUE_LOCK;
    const queue = queued.get(index);
    if (queue !== own && queue !== pollingQueue(tcbAt(partner))) wrong.push(`thread ${index} polls but is not queued`);
  } else if (kind !== WAIT && kind !== HOME_WAIT) wrong.push(`thread ${index} has a state of no kind`);
}

type Span = { at: number; size_bytes: number; name: string };

/** Windows lie between the tables and the end, and no two overlap, whether in use or free. */
function verifyWindows(wrong: string[], end: number): void {
  const spans: Span[] = [];
  for (let index = 1; index <= end; index++) {
    const tcb = tcbAt(index);
    const at = peek(tcb + TCB_WINDOW);
    if (peek(tcb + TCB_TAKEN) !== 0 && at !== 0) {
      spans.push({ at, size_bytes: peek(tcb + TCB_WINDOW_BYTES), name: `the window of thread ${index}` });
    }
  }
  collectFree(wrong, spans, HEADER_WINDOW_FREE_SMALL, WINDOW_SMALL_BYTES);
  collectFree(wrong, spans, HEADER_WINDOW_FREE_LARGE, WINDOW_BYTES);
  spans.sort((a, b) => a.at - b.at);
  let reached = WINDOWS_START;
  for (const { at, size_bytes, name } of spans) {
    if (at < reached) wrong.push(`${name} overlaps what lies before it`);
    if (at > reached) wrong.push(`a window before ${name} is lost`);
    reached = at + size_bytes;
  }
  if (reached > peek(HEADER_WINDOW_NEXT)) wrong.push('a window lies beyond what has been handed out');
  if (reached < peek(HEADER_WINDOW_NEXT)) wrong.push('the last window is lost');
  if (load(HEADER_WINDOW_LOCK) !== 0) wrong.push('the window allocator is locked');
}

function collectFree(wrong: string[], spans: Span[], list: number, size_bytes: number): void {
  let steps = 0;
  for (let at = peek(list); at !== 0 && steps < STEPS_MAX; steps++) {
    spans.push({ at, size_bytes, name: `the free window at ${at}` });
    at = peek(at >> 2);
  }
  if (steps === STEPS_MAX) wrong.push('a list of free windows has no end');
}
