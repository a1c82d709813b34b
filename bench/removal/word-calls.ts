/** The low-level call with a stated number of message words each way, as a side for the harness. */
import type { ThreadId } from '../../src/layout/tcb.ts';
import {
  call,
  makeTag,
  message,
  methodIn,
  OK,
  receive,
  replyAndReceive,
  sender,
  sequence,
  tag,
} from '../../src/user/ipc.ts';
import type { Handler, SecondAgent } from '../harness/agent.ts';
import { actAs } from '../harness/bare-kernel.ts';
import { now_ms } from '../harness/interleave.ts';
import type { Side } from '../harness/interleave.ts';

export const COMMAND_WORD_CALLS = 18;

const METHOD_ECHO = 1;
const METHOD_STOP = 2;
const CALL_STOP = makeTag(0, 0, METHOD_STOP);
const REPLY_STOP = makeTag(0);
const WARM_CALLS = 64;

/** Gives back what it gets, the first word one more. `mine` is the thread id of the server, `size` the words. */
export const serveWordCalls: Handler = (mine, _theirs, _count, size) => {
  actAs(mine as ThreadId);
  const answer = makeTag(size);
  let result = receive();
  while (methodIn(tag()) !== METHOD_STOP) {
    if (result !== OK) throw new Error(`receive ended with ${result}`);
    message[0] = (message[0] as number) + 1;
    result = replyAndReceive(sender(), sequence(), answer);
  }
  replyAndReceive(sender(), sequence(), REPLY_STOP, 0);
};

function callEcho(server: ThreadId, count: number, size: number): void {
  const selector = makeTag(size, 0, METHOD_ECHO);
  for (let round = 0; round < count; round++) {
    for (let i = 0; i < size; i++) message[i] = round;
    const result = call(server, selector);
    if (result !== OK || message[0] !== round + 1) throw new Error(`call ended with ${result}`);
  }
}

/** Calls of `size` words there and back from `client` to `server`. */
export const wordCalls =
  (agent: SecondAgent, client: ThreadId, server: ThreadId, size: number): Side =>
  (count) => {
    actAs(client);
    agent.begin(COMMAND_WORD_CALLS, server, client, 0, size);
    callEcho(server, WARM_CALLS, size);
    const start_ms = now_ms();
    callEcho(server, count, size);
    const elapsed_ms = now_ms() - start_ms;
    const result = call(server, CALL_STOP);
    if (result !== OK) throw new Error(`the last call ended with ${result}`);
    return elapsed_ms;
  };
