/**
 * The low-level call with two message words each way, as a side for the harness, and the loop that serves it. The
 * server adds the words, so that what comes back depends on what was sent.
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

const METHOD_ADD = 1;
const METHOD_STOP = 2;
const CALL_ADD = makeTag(2, 0, METHOD_ADD);
const CALL_STOP = makeTag(0, 0, METHOD_STOP);
const REPLY_ADD = makeTag(2);
const REPLY_STOP = makeTag(0);
const WARM_CALLS = 64;

/** Calls until told to stop. `mine` is the thread id of the server. */
export const serveCalls: Handler = (mine) => {
  actAs(mine as ThreadId);
  let result = receive();
  for (;;) {
    if (result !== OK) throw new Error(`receive ended with ${result}`);
    if (methodIn(tag()) === METHOD_STOP) {
      replyAndReceive(sender(), sequence(), REPLY_STOP, 0);
      return;
    }
    message[0] = (message[0] as number) + (message[1] as number);
    result = replyAndReceive(sender(), sequence(), REPLY_ADD);
  }
};

function callAdd(server: ThreadId, count: number): void {
  for (let round = 0; round < count; round++) {
    message[0] = round;
    message[1] = 2;
    const result = call(server, CALL_ADD);
    if (result !== OK || message[0] !== round + 2) throw new Error(`call ended with ${result}`);
  }
}

export interface IpcAgent {
  readonly agent: SecondAgent;
  readonly floors: Floors;
  /** Low-level calls from `client` to `server`, each a thread of its agent. */
  calls(client: ThreadId, server: ThreadId): Side;
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
    calls: (client, server) => (count) => {
      actAs(client);
      agent.begin(COMMAND_CALLS, server, client, 0, 0);
      callAdd(server, WARM_CALLS);
      const start_ms = now_ms();
      callAdd(server, count);
      const elapsed_ms = now_ms() - start_ms;
      const result = call(server, CALL_STOP);
      if (result !== OK) throw new Error(`the last call ended with ${result}`);
      return elapsed_ms;
    },
    cacheline: (client, server) => floors.cacheline(floorWord(client), floorWord(server)),
  };
}
