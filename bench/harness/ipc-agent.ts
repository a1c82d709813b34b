/**
 * The low-level call with two message words each way, as a side for the harness, and the loop that serves it. The server
 * adds the words, so that what comes back depends on what was sent.
 */
import { call, replyAndReceive } from '../../src/kernel/ipc.ts';
import { receive, reply } from '../../src/kernel/ipc-slow.ts';
import {
  CALL,
  NEVER,
  OK,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  R_WORD,
  REPLY,
  TAG_METHOD_SHIFT,
} from '../../src/layout/message.ts';
import { ANY_INDEX } from '../../src/layout/params.ts';
import { tcbOf } from '../../src/layout/tcb.ts';
import type { Tcb, ThreadId } from '../../src/layout/tcb.ts';
import { memory, words } from '../../src/platform/memory.ts';
import { registers } from '../../src/platform/registers.ts';
import { floorMemory, floorsOver } from '../floors/agent.ts';
import type { Floors } from '../floors/agent.ts';
import { floorWord } from '../floors/lines.ts';
import { startSecondAgent } from './agent.ts';
import type { Handler, SecondAgent } from './agent.ts';
import { moduleUrl } from './files.ts';
import { now_ms } from './interleave.ts';
import type { Side } from './interleave.ts';

export const COMMAND_CALLS = 16;

const WORDS = 2;
const METHOD_ADD = 1;
const METHOD_STOP = 2;
const CALL_ADD = CALL | WORDS | (METHOD_ADD << TAG_METHOD_SHIFT);
const CALL_STOP = CALL | (METHOD_STOP << TAG_METHOD_SHIFT);
const REPLY_ADD = REPLY | WORDS;
const WARM_CALLS = 64;

/** Calls until told to stop. `mine` is the thread id of the server. */
export const serveCalls: Handler = (mine) => {
  const self = tcbOf(mine);
  let result = receive(self, 0, NEVER);
  for (;;) {
    if (result !== OK) throw new Error(`receive ended with ${result}`);
    const caller = registers[R_SENDER] as ThreadId;
    const sequence = registers[R_SEQUENCE] as number;
    if ((registers[R_TAG] as number) >> TAG_METHOD_SHIFT === METHOD_STOP) {
      reply(self, caller, sequence, REPLY);
      return;
    }
    registers[R_WORD] = ((registers[R_WORD] as number) + (registers[R_WORD + 2] as number)) | 0;
    result = replyAndReceive(self, caller, sequence, REPLY_ADD, NEVER);
  }
};

function callAdd(self: Tcb, server: ThreadId, count: number): void {
  for (let round = 0; round < count; round++) {
    registers[R_WORD] = round;
    registers[R_WORD + 2] = 2;
    const result = call(self, server, ANY_INDEX, CALL_ADD, NEVER, NEVER);
    if (result !== OK || registers[R_WORD] !== round + 2) throw new Error(`call ended with ${result}`);
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
  const agent = startSecondAgent(moduleUrl('../workers/ipc-agent.ts', import.meta.url), {
    ...shared,
    l3kernel: { memory },
  });
  const floors = floorsOver(agent, shared);
  return {
    agent,
    floors,
    calls: (client, server) => (count) => {
      const self = tcbOf(client);
      agent.begin(COMMAND_CALLS, server, client, 0, 0);
      callAdd(self, server, WARM_CALLS);
      const start_ms = now_ms();
      callAdd(self, server, count);
      const elapsed_ms = now_ms() - start_ms;
      const result = call(self, server, ANY_INDEX, CALL_STOP, NEVER, NEVER);
      if (result !== OK) throw new Error(`the last call ended with ${result}`);
      return elapsed_ms;
    },
    cacheline: (client, server) => floors.cacheline(floorWord(client), floorWord(server)),
  };
}
