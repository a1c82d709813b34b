/**
 * A kernel with nothing around it: two tasks in two agents, and as many pairs of threads as there are placements. No
 * supervisor, no servers, no stubs, so that the low-level rows measure the ipc path and not what a system does besides.
 */
import { createTask, createThread, formatMemory, giveWindow } from '../../src/kernel/tcb.ts';
import { INDEX_MASK, TASKS_DEFAULT, THREADS_DEFAULT } from '../../src/layout/params.ts';
import { processorAt, TASK_KIND_MAIN, TASK_KIND_WORKER, TASK_PROCESSOR, taskAt } from '../../src/layout/task.ts';
import type { Processor, TaskId } from '../../src/layout/task.ts';
import { TCB_PROCESSOR, TCB_TASK, tcbOf } from '../../src/layout/tcb.ts';
import type { ThreadId } from '../../src/layout/tcb.ts';
import { words } from '../../src/platform/memory.ts';
import { agent } from '../../src/user/agent.ts';

/** Any value: all agents of a bare kernel run the same sources. */
const LAYOUT_HASH = 1;

export interface ThreadPair {
  readonly client: ThreadId;
  readonly server: ThreadId;
}

export interface BareKernel {
  /** A thread of this agent and one of the other, neighbours of the pair before. */
  pair(): ThreadPair;
  /** A thread of the other agent alone. */
  thread(): ThreadId;
  /** A thread of a further agent, of a task and a processor of its own. */
  agentThread(): ThreadId;
  /** Two threads multiplexed on this agent's processor. */
  localPair(): ThreadPair;
  /** This agent's processor. */
  readonly processor: Processor;
}

function processorOf(task: TaskId): Processor {
  return processorAt(words[taskAt(task & INDEX_MASK) + TASK_PROCESSOR] as number);
}

function threadOf(task: TaskId, home: boolean, largeWindow = false): ThreadId {
  const id = createThread(taskAt(task & INDEX_MASK), processorOf(task), home);
  if (id === 0 || (!home && !giveWindow(tcbOf(id), largeWindow)))
    throw new Error('the bare kernel is out of threads or windows');
  return id;
}

/** From here on this agent's ipc is that of thread `id`, as it is inside a handler that runs on that thread. */
export function actAs(id: ThreadId): void {
  const tcb = tcbOf(id);
  agent.taskId = words[tcb + TCB_TASK] as TaskId;
  agent.processor = processorAt(words[tcb + TCB_PROCESSOR] as number);
  agent.current = tcb;
}

/** `largeWindows`: the threads of the pairs get the window of a thread that waits in place, 1 MiB. */
export function formatBareKernel(largeWindows = false): BareKernel {
  formatMemory(THREADS_DEFAULT, TASKS_DEFAULT, LAYOUT_HASH);
  const main = createTask(0 as TaskId, TASK_KIND_MAIN, 0);
  const other = createTask(main, TASK_KIND_WORKER, 0);
  return {
    pair: () => ({ client: threadOf(main, false, largeWindows), server: threadOf(other, false, largeWindows) }),
    thread: () => threadOf(other, false),
    agentThread: () => threadOf(createTask(main, TASK_KIND_WORKER, 0), false),
    localPair: () => ({ client: threadOf(main, true), server: threadOf(main, true) }),
    processor: processorOf(main),
  };
}
