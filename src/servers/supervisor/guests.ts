/**
 * Guests: worker threads that somebody else has started and that join the system (tasks/guest.ts). The supervisor makes
 * a task for each, hears what it asks for, and repairs what it leaves behind.
 */
import { BroadcastChannel } from 'node:worker_threads';
import { createTask } from '../../kernel/tcb.ts';
import { OK } from '../../layout/message.ts';
import { TASK_KIND_GUEST, type TaskId } from '../../layout/task.ts';
import { createStandingThreads, discardTask, sayEnded } from '../../user/agent.ts';
import { recordOf } from '../../user/incarnations.ts';
import { setName } from '../../user/names.ts';
import { type Knock, type Lifeline, NO_ROOM, type Notice, type Request } from '../../tasks/control.ts';
import { type Agent, endChief, hear, type NoticePort } from './services.ts';

interface Guest {
  readonly taskId: TaskId;
  readonly port: GuestPort;
}

/** By the name of its channel. */
const guests = new Map<string, Guest>();
/** Those whose line has closed before their knock was heard: nobody waits behind the door. */
const gone = new Set<string>();

/** Lets guests in from now on. `main`: the task that is their chief. */
export function openDoor(door: string, main: number): void {
  // The line of its end comes by this event; the supervisor runs nobody's code that could take it for its own.
  process.on('workerMessage', (message: unknown) => {
    const { control, port } = (message as Lifeline).l3kernel;
    port.on('close', () => leave(control));
  });
  const channel = new BroadcastChannel(door);
  channel.onmessage = (event: unknown) => admit((event as { data: Knock }).data, main);
}

function admit({ control, name, cell }: Knock, main: number): void {
  // It has asked again meanwhile, or has ended.
  if (Atomics.load(cell, 0) !== 0 || gone.has(control)) return;
  const taskId = makeGuest(name, main);
  if (taskId !== 0) {
    const channel = new BroadcastChannel(control);
    const port = new GuestPort(channel);
    const agent: Agent = { taskId, port };
    channel.onmessage = (event: unknown) => hear(agent, (event as { data: Request }).data);
    guests.set(control, { taskId, port });
  }
  Atomics.store(cell, 0, taskId === 0 ? NO_ROOM : taskId);
  Atomics.notify(cell, 0);
}

function makeGuest(name: string, main: number): TaskId | 0 {
  const taskId = createTask(main as TaskId, TASK_KIND_GUEST, 0);
  if (taskId === 0) return 0;
  const task = recordOf(taskId);
  if (createStandingThreads(taskId) !== OK) {
    discardTask(task);
    return 0;
  }
  setName(task, name);
  return taskId;
}

/** The thread of a guest has ended. */
function leave(control: string): void {
  const guest = guests.get(control);
  if (guest === undefined) {
    gone.add(control);
    return;
  }
  guests.delete(control);
  guest.port.close();
  sayEnded(recordOf(guest.taskId));
  endChief(guest.taskId, 'the thread has ended');
}

/** A port cannot go through the channel of a guest; what it is for is refused by who would use it. */
class GuestPort implements NoticePort {
  private readonly channel: BroadcastChannel;
  private isOpen = true;

  constructor(channel: BroadcastChannel) {
    this.channel = channel;
  }

  postMessage(notice: Notice, transfer: readonly unknown[] = []): void {
    if (this.isOpen) this.channel.postMessage(transfer.length === 0 ? notice : { ...notice, port: null });
  }

  /** Its tasks may end later than the guest, whom nobody can tell. */
  close(): void {
    this.isOpen = false;
    this.channel.close();
  }
}
