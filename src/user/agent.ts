/**
 * What one JavaScript agent is in the system: a processor with a task of its own, and that task's two standing threads.
 * The server thread takes calls to the task. The caller thread calls for all ordinary code of the agent. `current` is
 * the thread on whose behalf code runs now: the server thread inside a synchronous handler, else the caller thread.
 */
import { compareExchange, load, peek, poke, store } from '#atomics';
import { LIMIT, OK, type Result } from '../layout/message.ts';
import { INDEX_MASK, TASKS_DEFAULT, TASKS_MAX, THREADS_DEFAULT, THREADS_MAX, checkParams } from '../layout/params.ts';
import type { Processor, TaskId, TaskRecord } from '../layout/task.ts';
import {
  PROCESSOR_ENDED,
  processorAt,
  TASK_ALIVE,
  TASK_CALLER,
  TASK_KIND_MAIN,
  TASK_PROCESSOR,
  TASK_SERVER,
  TASK_STARTING,
  TASK_FREE,
  TASK_STATE,
  taskAt,
} from '../layout/task.ts';
import { type Tcb, TCB_ID, tcbAt, type ThreadId, tcbOf } from '../layout/tcb.ts';
import { HEADER_SHUTDOWN, HEADER_TASKS_MAX, HEADER_THREADS_MAX } from '../layout/map.ts';
import { layoutHash } from '../layout/describe.ts';
import { freeThreads, repairTask } from '../kernel/fault.ts';
import { createTask, createThread, formatMemory, freeTask, giveWindow, isFormatted } from '../kernel/tcb.ts';
import { startClock } from '../platform/clock.ts';
import { joinHandover, leaveHandover } from '../platform/handover.ts';

export interface Agent {
  /** 0 until the agent belongs to a system. */
  taskId: TaskId;
  task: TaskRecord;
  processor: Processor;
  caller: Tcb;
  server: Tcb;
  current: Tcb;
}

export const agent: Agent = {
  taskId: 0 as TaskId,
  task: 0 as TaskRecord,
  processor: 0 as Processor,
  caller: 0 as Tcb,
  server: 0 as Tcb,
  current: 0 as Tcb,
};

export const isAttached = (): boolean => agent.taskId !== 0;
export const isShuttingDown = (): boolean => peek(HEADER_SHUTDOWN) !== 0;
export const idOf = (tcb: Tcb): ThreadId => peek(tcb + TCB_ID) as ThreadId;
/** Index of a live thread of this agent, in whose name it takes locks. */
export const holder = (): number => idOf(agent.caller) & INDEX_MASK;

/** Limits of a new system; above those of layout/params.ts they are refused. */
export interface AgentLimits {
  threads?: number | undefined;
  tasks?: number | undefined;
}

/** Makes this agent the first of a new system. Throws a RangeError that names the limit when one is not possible. */
export function startSystem(limits: AgentLimits): void {
  checkParams();
  const threads = checkLimit('threads', limits.threads ?? THREADS_DEFAULT, THREADS_MAX);
  const tasks = checkLimit('tasks', limits.tasks ?? TASKS_DEFAULT, TASKS_MAX);
  if (!isFormatted(layoutHash())) {
    formatMemory(threads, tasks, layoutHash());
    startClock();
  } else if (hasNoTasks()) {
    // The memory of a system that has ended: the ids in it go on, the limits are new.
    poke(HEADER_THREADS_MAX, threads);
    poke(HEADER_TASKS_MAX, tasks);
  }
  const taskId = createTask(0 as TaskId, TASK_KIND_MAIN, 0);
  createStandingThreads(taskId);
  attach(taskId);
}

/** Whether this is the memory of a system that has ended. */
function hasNoTasks(): boolean {
  for (let index = 1; index <= peek(HEADER_TASKS_MAX); index++) {
    if (load(taskAt(index) + TASK_STATE) !== TASK_FREE) return false;
  }
  return true;
}

function checkLimit(name: string, value: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= 2 && value <= max) return value;
  throw new RangeError(`limits.${name} is ${value}; it must be a whole number from 2 to ${max}`);
}

/** Makes the server and the caller thread of a new task, with their windows. LIMIT: there is no room. */
export function createStandingThreads(taskId: TaskId): Result {
  const task = taskAt(taskId & INDEX_MASK);
  const processor = processorAt(peek(task + TASK_PROCESSOR));
  const server = createThread(task, processor, false);
  const caller = createThread(task, processor, false);
  if (server === 0 || caller === 0 || !giveWindow(tcbOf(server), true) || !giveWindow(tcbOf(caller), true))
    return LIMIT;
  poke(task + TASK_SERVER, server);
  poke(task + TASK_CALLER, caller);
  return OK;
}

/**
 * States that the agent of a worker's task has ended: what its threads hold may be taken from them. Of several that
 * have ended, this is said of all before the first is discarded, whose repair would else wait for the others.
 */
export const sayEnded = (task: TaskRecord): void =>
  store(processorAt(peek(task + TASK_PROCESSOR)) + PROCESSOR_ENDED, 1);

/** Ends what is left of a task, and gives its records back. None of its code may run any more. */
export function discardTask(task: TaskRecord): void {
  repairTask(task, holder());
  freeThreads(task, holder());
  freeTask(task);
}

/** Makes this agent the home of a task whose record and threads exist. A spare stays what it is. */
export function attach(taskId: TaskId): void {
  const task = taskAt(taskId & INDEX_MASK);
  agent.taskId = taskId;
  agent.task = task;
  agent.processor = processorAt(peek(task + TASK_PROCESSOR));
  agent.server = tcbOf(peek(task + TASK_SERVER));
  agent.caller = tcbOf(peek(task + TASK_CALLER));
  agent.current = agent.caller;
  joinHandover(agent.processor);
  compareExchange(task + TASK_STATE, TASK_STARTING, TASK_ALIVE);
}

/**
 * Forgets the system: the agent may boot another one. Stubs that outlive it act for the null thread, and reach nobody.
 */
export function detach(): void {
  leaveHandover();
  agent.taskId = 0 as TaskId;
  agent.caller = tcbAt(0);
  agent.server = tcbAt(0);
  agent.current = tcbAt(0);
}
