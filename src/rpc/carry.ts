/**
 * The side port: what only `postMessage` carries (shared buffers, ports, blobs, moved buffers) goes over a MessagePort
 * beside the message, under a ticket that is in the message. It is posted before the message is sent, so it is there
 * when the message is read; nothing waits for an event.
 *
 * There is a port between a task and its chief. Two tasks of one clan have none.
 */
import { type MessagePort, MessagePort as Port, receiveMessageOnPort, type Transferable } from 'node:worker_threads';
import { INDEX_MASK } from '../layout/params.ts';
import { CodecError } from './codec.ts';
import { isMoved } from './move.ts';

interface Parcel {
  readonly ticket: number;
  readonly values: unknown[];
}

const ports = new Map<number, MessagePort>();
const waiting = new Map<number, unknown[]>();
let tickets = 0;

/** States the port to the task with this index. */
export function setPort(task: number, port: MessagePort): void {
  port.unref();
  ports.set(task & INDEX_MASK, port);
}

export function closePort(task: number): void {
  ports.get(task & INDEX_MASK)?.close();
  ports.delete(task & INDEX_MASK);
}

/**
 * Posts values to a task; the ticket must travel in the message. Throws ERR_IPC_NOT_CLONEABLE where there is no port.
 */
export function post(task: number, values: unknown[]): number {
  const port = ports.get(task & INDEX_MASK);
  if (port === undefined) {
    throw new CodecError(
      'ERR_IPC_NOT_CLONEABLE',
      'a value that only postMessage carries (a shared buffer, a port, move()) goes between a task and its chief only',
    );
  }
  const transfers = values.filter((value) => value instanceof Port || isMoved(value as object)) as Transferable[];
  tickets = (tickets + 1) & 0x3fffffff;
  const parcel: Parcel = { ticket: tickets, values };
  port.postMessage(parcel, transfers);
  return tickets;
}

/** The values that a task posted under a ticket. */
export function collect(task: number, ticket: number): unknown[] {
  const key = (task & INDEX_MASK) * 2 ** 31 + ticket;
  const early = waiting.get(key);
  if (early !== undefined) {
    waiting.delete(key);
    return early;
  }
  const port = ports.get(task & INDEX_MASK);
  for (;;) {
    const received = port === undefined ? undefined : (receiveMessageOnPort(port) as { message: Parcel } | undefined);
    if (received === undefined) throw new CodecError('ERR_IPC_PROTOCOL', 'the carried part of a message is missing');
    const { ticket: found, values } = received.message;
    if (found === ticket) return values;
    // Somebody else's, whose message is still in a queue.
    waiting.set((task & INDEX_MASK) * 2 ** 31 + found, values);
  }
}
