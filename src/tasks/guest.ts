/**
 * A *guest*: a worker thread that somebody else has started (ESLint, vitest, piscina), and that joins the system of its
 * process without their knowing. It found kernel memory when it evaluated this package (platform/house.ts). Here it
 * knocks at the door, and waits in place: the supervisor, which never blocks, makes the records of a task for it.
 *
 * From then on it is a task like others, whose chief is the program. Two things are different. Its line to the
 * supervisor is a BroadcastChannel that only the two know of, for a port can be handed to nobody by such a channel; so
 * there is no side port between a guest and the tasks that it spawns. And it is no child of the supervisor, which hears
 * of its end by a port that closes. That port goes by way of the main thread (`postMessageToThread`), when its event
 * loop turns.
 */
import { BroadcastChannel, MessageChannel, postMessageToThread, threadId } from 'node:worker_threads';
import { load } from '#atomics';
import { repairTask } from '../kernel/fault.ts';
import type { TaskId } from '../layout/task.ts';
import { house, isOpen } from '../platform/house.ts';
import { memory } from '../platform/memory.ts';
import { agent, attach, holder } from '../user/agent.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import { type Knock, type Lifeline, NO_ROOM } from './control.ts';
import { useChannel } from './supervisor.ts';

/** The supervisor answers in a fraction of a millisecond, unless the processors are very busy. */
const ANSWER_ms = 10_000;
const ASK_ms = 20;

/** Whether there is a system of the process that this agent can join: its memory is the agent's. */
export const canJoin = (): boolean => house !== null && house.memory === memory && isOpen(house, load);

/**
 * Whether the system that this thread was started in has ended before it joined. Its memory is this agent's, for good,
 * and the main thread may boot another system in it: two in one memory would end each other's tasks.
 */
export const outlives = (): boolean => house !== null && house.memory === memory && !isOpen(house, load);

/**
 * Waits in place for a task id that the supervisor was asked for; asks again now and then. Throws when there is none.
 */
export function awaitTaskId(cell: Int32Array<SharedArrayBuffer>, what: string, ask: () => void = () => {}): TaskId {
  for (let waited_ms = 0; Atomics.load(cell, 0) === 0; waited_ms += ASK_ms) {
    if (waited_ms >= ANSWER_ms || (house !== null && house.memory === memory && !isOpen(house, load))) {
      throw new IpcError('ERR_IPC_SHUTDOWN', `${what}: the system has ended`);
    }
    ask();
    Atomics.wait(cell, 0, 0, ASK_ms);
  }
  const taskId = Atomics.load(cell, 0);
  if (taskId === NO_ROOM) throw new IpcError('ERR_IPC_LIMIT', `${what}: the system has no room for another task`);
  return taskId as TaskId;
}

/** Joins the system of the process. Throws an IpcError when it has just ended, or has no room. */
export function join(): void {
  const { door, thread } = house!;
  const knock: Knock = {
    control: `${door}/${threadId}/${Math.random()}`,
    name: `thread ${threadId}`,
    cell: new Int32Array(new SharedArrayBuffer(4)),
  };
  // First of all: whoever is terminated while it waits has records already.
  sendLifeline(knock, thread);
  // Open before anybody can speak on it.
  const channel = new BroadcastChannel(knock.control);
  const asking = new BroadcastChannel(door);
  let taskId: TaskId;
  try {
    // A supervisor that has just been started does not hear the first time.
    taskId = awaitTaskId(knock.cell, 'this thread cannot join its process', () => asking.postMessage(knock));
  } catch (error) {
    channel.close();
    lifeline!.port1.close();
    throw error;
  } finally {
    asking.close();
  }
  attach(taskId);
  useChannel(channel);
  // The last act of a thread that ends in an orderly way: it answers everybody who waits for it, at once.
  process.on('exit', () => repairTask(agent.task, holder()));
}

/** Ours: it closes with this thread. */
let lifeline: MessageChannel | null = null;

function sendLifeline({ control }: Knock, thread: number): void {
  lifeline = new MessageChannel();
  lifeline.port1.unref();
  const { port2: port } = lifeline;
  const message: Lifeline = { l3kernel: { control, port } };
  // It may arrive when the supervisor has ended.
  postMessageToThread(thread, message, [port]).catch(() => {});
}
