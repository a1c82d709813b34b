/**
 * Task records and processor records. A task is an address space with its threads; a processor is one JavaScript agent
 * that runs kernel code for its threads. Both arrays are virtual, as the tcb array is.
 */
import { NAME_BYTES, TASKS_VIRTUAL, THREADS_VIRTUAL } from './params.ts';
import type { Brand } from './tcb.ts';
import { TCB_BASE, TCB_WORDS } from './tcb.ts';

/** Word index of a task record; word index of a processor record. */
export type TaskRecord = Brand<number, 'TaskRecord'>;
export type Processor = Brand<number, 'Processor'>;
/** Generation and index of a task, as in a thread id. */
export type TaskId = Brand<number, 'TaskId'>;

export const TASK_WORDS = 64;
export const TASK_BASE = TCB_BASE + THREADS_VIRTUAL * TCB_WORDS;
export const PROCESSOR_WORDS = 64;
export const PROCESSOR_BASE = TASK_BASE + TASKS_VIRTUAL * TASK_WORDS;
/** First word behind the tables: the windows begin here. */
export const WINDOWS_BASE = PROCESSOR_BASE + TASKS_VIRTUAL * PROCESSOR_WORDS;

/** 0 free, else one of TASK_*; or ~id of the chief that has taken the record and writes it. */
export const TASK_STATE = 0;
export const TASK_FREE = 0;
export const TASK_STARTING = 1;
export const TASK_ALIVE = 2;
export const TASK_DEAD = 3;
/** Booted in reserve, to take the place of another incarnation of the same task: nobody can reach it yet. */
export const TASK_SPARE = 4;
/** A call outlived its timeout: the supervisor puts another incarnation in its place, and then ends it. */
export const TASK_REPLACED = 5;
export const TASK_ID = 1;
export const TASK_CHIEF = 2;
/** Depth in the tree of chiefs; the first task is 0. */
export const TASK_DEPTH = 3;
/** Thread that serves calls to the task; 0 until there is one. */
export const TASK_SERVER = 4;
/** Thread that calls on behalf of the task's ordinary code. */
export const TASK_CALLER = 5;
export const TASK_PROCESSOR = 6;
/** One of KIND_TASK_*. */
export const TASK_KIND = 7;
export const TASK_KIND_WORKER = 1;
export const TASK_KIND_LOCAL = 2;
/** The program's own agent, which booted the system. */
export const TASK_KIND_MAIN = 3;
/** The agent that is the parent of every worker. */
export const TASK_KIND_SUPERVISOR = 4;
/** Linear memory as address space, in the agent of its maker. */
export const TASK_KIND_WASM = 5;
/** A worker thread that somebody else has started, and that has joined the system of its process. */
export const TASK_KIND_GUEST = 6;
export const TASK_EXIT_CODE = 8;
/** 1 while the task's event loop has work of its own (timers, sockets): the process stays alive for it. */
export const TASK_LOOP_ALIVE = 9;
/** Thread that takes messages redirected across the border of the clan this task is chief of; 0 for none. */
export const TASK_INSPECTOR = 10;
export const TASK_NAME_BYTES = 11;
/**
 * Not 0 when the name was given, so that `lookup` finds the task by it: 1, or for an instance of a pool the id of the
 * pool, which is that of its first instance in its first incarnation.
 */
export const TASK_REGISTERED = 12;
/** Id of the task's first incarnation, the same in all that follow; 0 for a task that has only one. */
export const TASK_ORIGIN = 13;
/** How many incarnations there were before this one; -1 for a spare. */
export const TASK_RESTARTS = 14;
/** What follows the end of this incarnation: RESTART_* and REPLACE_ON_TIMEOUT. 0: nothing, the end is final. */
export const TASK_RESTART = 15;
export const RESTART_ON_FAILURE = 1;
export const RESTART_ALWAYS = 2;
export const REPLACE_ON_TIMEOUT = 4;
export const TASK_NAME = 16;
/** Why the task has ended, in UTF-8. */
export const TASK_REASON_BYTES = 40;
export const TASK_REASON = 41;
/** 1 when the exports cannot be entered again while they run: a call waits its turn, whatever the thread waits for. */
export const TASK_ENTERED_ONCE = 63;

/**
 * Rung, with a count that goes up, when a parked thread of this processor has news and its agent runs its event loop.
 */
export const PROCESSOR_DOORBELL = 0;
/** Senders from elsewhere to threads multiplexed here: a queue as the polling-me queue of a tcb. */
export const PROCESSOR_INBOX = 16;
export const PROCESSOR_READY_FIRST = 32;
export const PROCESSOR_READY_LAST = 33;
/** First threads of the wakeup lists, and of the long-term list behind them. */
export const PROCESSOR_WAKEUP = 34;
export const PROCESSOR_TAKEN = 48;
export const PROCESSOR_TASK = 49;
/** Wakeup entries inspected since boot: k/n of k entries a tick. */
export const PROCESSOR_INSPECTED = 50;
export const PROCESSOR_TICKS = 51;
/** 1 + the core on which the agent was when it last woke somebody; 0 for unknown. */
export const PROCESSOR_CORE = 52;
/** 1 + the core that the agent has bound itself to, so as to follow its caller; 0 for none. */
export const PROCESSOR_BOUND = 53;
/**
 * Not 0 while nothing but the answer to a call can make the agent's loop run: the number of calls that it watches in
 * the low 16 bits, and a count of such times above. Its server is closed then, with as many handlers under way as may
 * be.
 */
export const PROCESSOR_STUCK = 54;
/** 1 once the agent has ended: no code of its threads runs any more, and what they hold may be taken from them. */
export const PROCESSOR_ENDED = 56;
/** No thread in the wakeup lists is due before this time, in ms since boot; 0 when none is due at all. */
export const PROCESSOR_DUE = 55;

export const taskAt = (index: number): TaskRecord => (TASK_BASE + index * TASK_WORDS) as TaskRecord;
export const processorAt = (index: number): Processor => (PROCESSOR_BASE + index * PROCESSOR_WORDS) as Processor;
export const TASK_NAME_MAX = Math.min(NAME_BYTES, (TASK_REASON_BYTES - TASK_NAME) * 4);
export const TASK_REASON_MAX: number = (TASK_ENTERED_ONCE - TASK_REASON) * 4;
