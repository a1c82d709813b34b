/**
 * Pong, at the low level: receives a message, adds one to its first word, and answers it while waiting for the next.
 * `replyAndReceive` is one operation (paper 5.2.1): the answer goes out and the next call meets an open receiver.
 */
import { makeTag, message, methodIn, OK, receive, reply, replyAndReceive, sender, sequence, tag } from 'l3kernel/ipc';

export const METHOD_PING = 1;
export const METHOD_STOP = 2;

/** Serves pings on this task's own thread until one says stop; gives the number of pings served. */
export function serve(): number {
  let served = 0;
  let result = receive();
  while (result === OK && methodIn(tag()) === METHOD_PING) {
    served++;
    message[0] = message[0]! + 1;
    result = replyAndReceive(sender(), sequence(), makeTag(1));
  }
  reply(sender(), sequence(), makeTag(0));
  return served;
}
