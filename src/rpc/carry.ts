/**
 * The side port: what only `postMessage` carries (shared buffers, ports, blobs, moved buffers) goes over a MessagePort
 * beside the message, under a ticket that is in the message. It is posted before the message is sent, so it is there
 * when the message is read; nothing waits for an event.
 *
 * There is a port between a task and its chief. Two tasks of one clan have none.
 */
import { type MessagePort, MessagePort as Port, receiveMessageOnPort, type Transferable } from 'node:worker_threads';
import { peek } from '#atomics';
import { INDEX_MASK } from '../layout/params.ts';
import { TASK_PROCESSOR, taskAt } from '../layout/task.ts';
import { agent } from '../user/agent.ts';
import { CodecError } from './codec.ts';
import { isMoved } from './move.ts';
import { readNews } from './news.ts';

interface Parcel {
  readonly ticket: number;
  readonly values: unknown[];
}

const ports = new Map<number, MessagePort>();
/** What came before its message, by task and ticket. */
const waiting = new Map<string, unknown[]>();
/** What goes to a task in this agent, under negative tickets. */
const local = new Map<number, unknown[]>();
let tickets = 0;

/** States the port to a task. */
export function setPort(task: number, port: MessagePort): void {
  port.unref();
  ports.set(task, port);
}

export function closePort(task: number): void {
  ports.get(task)?.close();
  ports.delete(task);
}

/** The port to a task; one that was started again may be news. */
function portTo(task: number): MessagePort | undefined {
  if (!ports.has(task)) readNews();
  return ports.get(task);
}

/**
 * Posts values to a task; the ticket must travel in the message. Throws ERR_IPC_NOT_CLONEABLE where there is no port.
 */
export function post(task: number, values: unknown[]): number {
  const transfers = transfersOf(values);
  if (isHere(task)) {
    const kept = -++tickets;
    local.set(kept, structuredClone(values, { transfer: transfers }) as unknown[]);
    return kept;
  }
  const port = portTo(task);
  if (port === undefined) {
    throw new CodecError(
      'ERR_IPC_NOT_CLONEABLE',
      'a value that only postMessage carries (a shared buffer, a port, move()) goes between a task and its chief only',
    );
  }
  tickets = (tickets + 1) & 0x3fffffff;
  const parcel: Parcel = { ticket: tickets, values };
  port.postMessage(parcel, transfers);
  return tickets;
}

/** What of these values is transferred and not cloned. */
export const transfersOf = (values: readonly unknown[]): Transferable[] =>
  values.filter((value) => value instanceof Port || isMoved(value as object)) as Transferable[];

/** Whether the task lives in this agent: there is no port to it, and none is needed. */
const isHere = (task: number): boolean =>
  task === agent.taskId || peek(taskAt(task & INDEX_MASK) + TASK_PROCESSOR) === peek(agent.task + TASK_PROCESSOR);

/** The values that a task posted under a ticket. */
export function collect(task: number, ticket: number): unknown[] {
  if (ticket < 0) {
    const values = local.get(ticket);
    local.delete(ticket);
    if (values === undefined) throw new CodecError('ERR_IPC_PROTOCOL', 'the carried part of a message is missing');
    return values;
  }
  const key = `${task}:${ticket}`;
  const early = waiting.get(key);
  if (early !== undefined) {
    waiting.delete(key);
    return early;
  }
  const port = portTo(task);
  for (;;) {
    const received = port === undefined ? undefined : (receiveMessageOnPort(port) as { message: Parcel } | undefined);
    if (received === undefined) throw new CodecError('ERR_IPC_PROTOCOL', 'the carried part of a message is missing');
    const { ticket: found, values } = received.message;
    if (found === ticket) return values;
    // Somebody else's, whose message is still in a queue.
    waiting.set(`${task}:${found}`, values);
  }
}
