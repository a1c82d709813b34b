/**
 * The low-level call with message words each way, as a side for the harness, and the loop that serves it. The first
 * word comes back changed, so that what comes back depends on what was sent.
 */
import type { ThreadId } from '../../src/layout/tcb.ts';
import { memory, words } from '../../src/platform/memory.ts';
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
import { floorMemory, floorsOver } from '../floors/agent.ts';
import type { Floors } from '../floors/agent.ts';
import { floorWord } from '../floors/lines.ts';
import { startSecondAgent } from './agent.ts';
import type { Handler, SecondAgent } from './agent.ts';
import { actAs } from './bare-kernel.ts';
import { moduleUrl } from './files.ts';
import { now_ms } from './interleave.ts';
import type { Side } from './interleave.ts';

export const COMMAND_CALLS = 16;

const METHOD_ECHO = 1;
const METHOD_STOP = 2;
const CALL_STOP = makeTag(0, 0, METHOD_STOP);
const REPLY_STOP = makeTag(0);
const WARM_CALLS = 64;
/** Message words each way, unless a row says otherwise. */
const WORDS = 2;

/** Gives back what it gets, the first word one more. `mine` is the thread id of the server, `size` the words. */
export const serveCalls: Handler = (mine, _theirs, _count, size) => {
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

/** Ends the server's loop. */
export function endCalls(server: ThreadId): void {
  const result = call(server, CALL_STOP);
  if (result !== OK) throw new Error(`the last call ended with ${result}`);
}

export interface IpcAgent {
  readonly agent: SecondAgent;
  readonly floors: Floors;
  /** Low-level calls from `client` to `server`, each a thread of its agent, with so many message words each way. */
  calls(client: ThreadId, server: ThreadId, size?: number): Side;
  /** A server that stays in its loop, so that calls can be made one at a time. */
  conversation(client: ThreadId, server: ThreadId): { call(): void; end(): void };
  /** The two-line floor on the ipc lines of these threads, by the same two agents. */
  cacheline(client: ThreadId, server: ThreadId): Side;
}

/** Starts the second agent of a bare kernel. */
export function startIpcAgent(bytes_max = 0): IpcAgent {
  const shared = floorMemory(words, bytes_max);
  const agent = startSecondAgent(moduleUrl('workers/ipc-agent.ts'), {
    ...shared,
    l3kernel: { memory },
  });
  const floors = floorsOver(agent, shared);
  return {
    agent,
    floors,
    calls:
      (client, server, size = WORDS) =>
      (count) => {
        actAs(client);
        agent.begin(COMMAND_CALLS, server, client, 0, size);
        callEcho(server, WARM_CALLS, size);
        const start_ms = now_ms();
        callEcho(server, count, size);
        const elapsed_ms = now_ms() - start_ms;
        endCalls(server);
        return elapsed_ms;
      },
    conversation(client, server) {
      actAs(client);
      agent.begin(COMMAND_CALLS, server, client, 0, WORDS);
      callEcho(server, WARM_CALLS, WORDS);
      return { call: () => callEcho(server, 1, WORDS), end: () => endCalls(server) };
    },
    cacheline: (client, server) => floors.cacheline(floorWord(client), floorWord(server)),
  };
}
