/**
 * A read-only decoder of kernel memory: its tables as plain objects, which can be sent, kept and compared. It asks no
 * thread and takes no lock, so that it works whatever the others do, and a system that hangs can still be looked into.
 *
 * The price is that memory moves meanwhile. A record whose state word changed while it was read is read again, a few
 * times; two records are never of one instant. Who concludes something from several of them compares two snapshots.
 */
import { HEADER_BEAT, HEADER_TASKS_MAX, HEADER_THREADS_MAX } from '../layout/map.ts';
import { CALL, METHOD_MAX, SEND, TAG_FLAG, TAG_KIND, TAG_METHOD_SHIFT } from '../layout/message.ts';
import { ANY_INDEX, INDEX_MASK } from '../layout/params.ts';
import {
  TASK_ALIVE,
  TASK_CALLER,
  TASK_CHIEF,
  TASK_DEAD,
  TASK_EXIT_CODE,
  TASK_FREE,
  TASK_ID,
  TASK_KIND,
  TASK_KIND_GUEST,
  TASK_KIND_LOCAL,
  TASK_KIND_MAIN,
  TASK_KIND_SUPERVISOR,
  TASK_KIND_WASM,
  TASK_KIND_WORKER,
  TASK_NAME,
  TASK_NAME_BYTES,
  TASK_NAME_MAX,
  TASK_ORIGIN,
  TASK_PROCESSOR,
  TASK_REASON,
  TASK_REASON_BYTES,
  TASK_REASON_MAX,
  TASK_REPLACED,
  TASK_RESTARTS,
  TASK_SERVER,
  TASK_SPARE,
  TASK_STARTING,
  TASK_STATE,
  type TaskRecord,
  taskAt,
} from '../layout/task.ts';
import {
  HOME_POLL,
  HOME_WAIT,
  KIND_MASK,
  LOCK,
  PARKED,
  POLL,
  RUN,
  TCB_BELL,
  TCB_BYTES,
  TCB_HOME,
  TCB_ID,
  TCB_PARKS,
  TCB_PROCESSOR,
  TCB_SENT,
  TCB_SEQUENCE,
  TCB_SINCE,
  TCB_STATE,
  TCB_TAG,
  TCB_TAKEN,
  TCB_TASK,
  type Tcb,
  tcbAt,
  WAIT,
} from '../layout/tcb.ts';
import { load, peek, takeBytes } from '../platform/atomics.ts';
import { now_ms } from '../platform/clock.ts';

/** `local` and `wasm` tasks live in their spawner's agent; `main` is the program that booted the system. */
export type TaskKindName = 'worker' | 'local' | 'wasm' | 'main' | 'supervisor' | 'other';
/**
 * `spare`: booted in reserve, to take the place of another incarnation; `replaced`: another is about to take its place.
 */
export type TaskStateName = 'starting' | 'alive' | 'dead' | 'spare' | 'replaced' | 'other';

export interface TaskView {
  readonly id: number;
  readonly name: string;
  readonly kind: TaskKindName;
  readonly state: TaskStateName;
  /** Task that spawned it; null for the first. */
  readonly chief: number | null;
  /** Thread that serves calls to it, which is `task.id` of the public surface; null until there is one. */
  readonly server: number | null;
  readonly processor: number;
  /** Id of the first incarnation of a task that was started again; its own id before. */
  readonly origin: number;
  /** Incarnations before this one. */
  readonly restarts: number;
  /** Null while it lives. */
  readonly exitCode: number | null;
  /** Why it has ended, '' while it lives. */
  readonly reason: string;
}

/** What a thread is to its task: `call` is one `.async` call in flight or the place for one. */
export type ThreadRole = 'server' | 'caller' | 'call' | 'local';
/**
 * `receiving` waits for anybody; `waiting` for one partner; `polling` stands in its partner's queue; `locked`: a
 * partner is writing a message to it.
 */
export type ThreadState = 'dead' | 'running' | 'receiving' | 'waiting' | 'polling' | 'locked';

export interface ThreadView {
  readonly id: number;
  readonly task: number;
  readonly name: string;
  readonly role: ThreadRole;
  readonly processor: number;
  readonly state: ThreadState;
  /** Asleep, or watched by a loop that is asleep. */
  readonly parked: boolean;
  /** Its agent sleeps with it: no other thread of that agent can run. */
  readonly inPlace: boolean;
  /** Thread that it waits or polls for, or that has locked it. */
  readonly partner: number | null;
  /** Number of the method that it calls; null when it calls none, or a callback. */
  readonly method: number | null;
  /** Sequence of the call it waits for: two snapshots with the same one saw the same wait. */
  readonly sequence: number;
  /** How long the present wait lasts; null when it does not wait, or nobody looked at the clock when it began. */
  readonly since_ms: number | null;
  /** Totals; they wrap at 2^32. */
  readonly sent: number;
  readonly bytes: number;
  readonly parks: number;
}

export interface Totals {
  readonly tasks: number;
  readonly tasks_max: number;
  readonly threads: number;
  readonly threads_max: number;
  /** Beats of the supervisor; it stands still when there is none. */
  readonly beat: number;
}

export interface Snapshot {
  /** Milliseconds since the system booted. */
  readonly time_ms: number;
  readonly totals: Totals;
  readonly tasks: readonly TaskView[];
  readonly threads: readonly ThreadView[];
}

const KINDS: Readonly<Record<number, TaskKindName>> = {
  [TASK_KIND_WORKER]: 'worker',
  [TASK_KIND_LOCAL]: 'local',
  [TASK_KIND_MAIN]: 'main',
  [TASK_KIND_SUPERVISOR]: 'supervisor',
  [TASK_KIND_WASM]: 'wasm',
  // It is one, though not of ours.
  [TASK_KIND_GUEST]: 'worker',
};
const TASK_STATES: Readonly<Record<number, TaskStateName>> = {
  [TASK_STARTING]: 'starting',
  [TASK_ALIVE]: 'alive',
  [TASK_DEAD]: 'dead',
  [TASK_SPARE]: 'spare',
  [TASK_REPLACED]: 'replaced',
};
/** Readings of one record before it is taken as it is. */
const TRIES = 4;

const decoder = new TextDecoder();

/** A text of at most `max` bytes in kernel memory. */
function textAt(at: number, lengthAt: number, max: number): string {
  // The length may be that of another text than the bytes: it must not lead beyond the record.
  const length = Math.min(Math.max(peek(lengthAt), 0), max);
  const bytes = new Uint8Array(length);
  takeBytes(at * 4, bytes, 0, length);
  return decoder.decode(bytes);
}

const orNull = (id: number): number | null => (id === 0 ? null : id);

function readTask(task: TaskRecord): TaskView {
  const state = load(task + TASK_STATE);
  const id = peek(task + TASK_ID);
  const isDead = state === TASK_DEAD;
  return {
    id,
    name: textAt(task + TASK_NAME, task + TASK_NAME_BYTES, TASK_NAME_MAX),
    kind: KINDS[peek(task + TASK_KIND)] ?? 'other',
    state: TASK_STATES[state] ?? 'other',
    chief: orNull(peek(task + TASK_CHIEF)),
    server: orNull(peek(task + TASK_SERVER)),
    processor: peek(task + TASK_PROCESSOR),
    origin: peek(task + TASK_ORIGIN) || id,
    // A spare has -1.
    restarts: Math.max(0, peek(task + TASK_RESTARTS)),
    exitCode: isDead ? peek(task + TASK_EXIT_CODE) : null,
    reason: isDead ? textAt(task + TASK_REASON, task + TASK_REASON_BYTES, TASK_REASON_MAX) : '',
  };
}

function readTasks(): TaskView[] {
  const tasks: TaskView[] = [];
  const end = peek(HEADER_TASKS_MAX);
  for (let index = 1; index <= end; index++) {
    const task = taskAt(index);
    for (let tries = TRIES; load(task + TASK_STATE) !== TASK_FREE; tries--) {
      const view = readTask(task);
      if (tries > 1 && peek(task + TASK_ID) !== view.id) continue;
      tasks.push(view);
      break;
    }
  }
  return tasks;
}

function stateName(state: number): ThreadState {
  switch (state & KIND_MASK) {
    case RUN:
      return 'running';
    case LOCK:
      return 'locked';
    case POLL:
    case HOME_POLL:
      return 'polling';
    case WAIT:
    case HOME_WAIT:
      return (state & INDEX_MASK) === ANY_INDEX ? 'receiving' : 'waiting';
    default:
      return 'dead';
  }
}

function roleOf(tcb: Tcb, id: number, task: TaskRecord): ThreadRole {
  if (id === peek(task + TASK_SERVER)) return 'server';
  if (id === peek(task + TASK_CALLER)) return 'caller';
  return peek(tcb + TCB_HOME) === 0 ? 'call' : 'local';
}

/** A thread that waits for an answer, or polls, keeps the tag of its own message in its line. */
function methodOf(tcb: Tcb, state: ThreadState): number | null {
  const tag = peek(tcb + TCB_TAG);
  const kind = tag & TAG_KIND;
  if (peek(tcb + TCB_HOME) !== 0 || (tag & TAG_FLAG) !== 0) return null;
  const isOwn = (state === 'waiting' && kind === CALL) || (state === 'polling' && (kind === CALL || kind === SEND));
  return isOwn ? (tag >> TAG_METHOD_SHIFT) & METHOD_MAX : null;
}

/** Threads that park in place note the time, and so does an `.async` call when it begins. Others do not. */
function sinceOf(tcb: Tcb, role: ThreadRole, state: ThreadState, inPlace: boolean, time_ms: number): number | null {
  const isKnown = inPlace || (role === 'call' && (state === 'waiting' || state === 'polling'));
  const since_ms = peek(tcb + TCB_SINCE);
  return isKnown && since_ms !== 0 ? Math.max(0, time_ms - since_ms) : null;
}

function readThread(tcb: Tcb, word: number, time_ms: number, names: ReadonlyMap<number, string>): ThreadView {
  const id = peek(tcb + TCB_ID);
  const taskId = peek(tcb + TCB_TASK);
  const role = roleOf(tcb, id, taskAt(taskId & INDEX_MASK));
  const state = stateName(word);
  const parked = (word & PARKED) !== 0 && state !== 'dead';
  const isHome = peek(tcb + TCB_HOME) !== 0;
  const waits = state === 'receiving' || state === 'waiting' || state === 'polling';
  const inPlace = waits && parked && !isHome && peek(tcb + TCB_BELL) === 0;
  const hasPartner = state === 'waiting' || state === 'polling' || state === 'locked';
  return {
    id,
    task: taskId,
    name: names.get(taskId) ?? '',
    role,
    processor: peek(tcb + TCB_PROCESSOR),
    state,
    parked,
    inPlace,
    partner: hasPartner ? orNull(peek(tcbAt(word & INDEX_MASK) + TCB_ID)) : null,
    method: methodOf(tcb, state),
    sequence: peek(tcb + TCB_SEQUENCE),
    since_ms: sinceOf(tcb, role, state, inPlace, time_ms),
    sent: peek(tcb + TCB_SENT) >>> 0,
    bytes: peek(tcb + TCB_BYTES) >>> 0,
    parks: peek(tcb + TCB_PARKS) >>> 0,
  };
}

function readThreads(tasks: readonly TaskView[], time_ms: number): ThreadView[] {
  const threads: ThreadView[] = [];
  const names = new Map(tasks.map(({ id, name }) => [id, name]));
  const end = peek(HEADER_THREADS_MAX);
  for (let index = 1; index <= end; index++) {
    const tcb = tcbAt(index);
    for (let tries = TRIES; load(tcb + TCB_TAKEN) !== 0; tries--) {
      const word = load(tcb + TCB_STATE);
      const view = readThread(tcb, word, time_ms, names);
      if (tries > 1 && (load(tcb + TCB_STATE) !== word || peek(tcb + TCB_ID) !== view.id)) continue;
      if (view.id !== 0) threads.push(view);
      break;
    }
  }
  return threads;
}

/** All tasks and threads of this agent's system as they are now. */
export function takeSnapshot(): Snapshot {
  const time_ms = now_ms();
  const tasks = readTasks();
  const threads = readThreads(tasks, time_ms);
  return {
    time_ms,
    totals: {
      tasks: tasks.length,
      tasks_max: peek(HEADER_TASKS_MAX),
      threads: threads.length,
      threads_max: peek(HEADER_THREADS_MAX),
      beat: peek(HEADER_BEAT),
    },
    tasks,
    threads,
  };
}
