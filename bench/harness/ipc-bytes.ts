/**
 * The low-level call with one string item each way, as a side for the harness, and the loop that serves it. A message
 * that fits the receiver's window is read there, in place; a longer one is gathered into a buffer of the receiver's own.
 * Both read every line of it, as the floor does.
 */
import { call, replyAndReceive } from '../../src/kernel/ipc.ts';
import { receive, reply } from '../../src/kernel/ipc-slow.ts';
import { incoming, outgoing, stated } from '../../src/kernel/transfer.ts';
import {
  CALL,
  NEVER,
  OK,
  R_SENDER,
  R_SEQUENCE,
  R_STRING,
  R_TAG,
  REPLY,
  TAG_METHOD_SHIFT,
  TAG_STRING_SHIFT,
} from '../../src/layout/message.ts';
import type { Result } from '../../src/layout/message.ts';
import { ANY_INDEX } from '../../src/layout/params.ts';
import { TCB_WINDOW, TCB_WINDOW_BYTES, tcbOf } from '../../src/layout/tcb.ts';
import type { Tcb, ThreadId } from '../../src/layout/tcb.ts';
import { memory, words } from '../../src/platform/memory.ts';
import { registers } from '../../src/platform/registers.ts';
import { readEveryLine } from '../floors/bytes.ts';
import type { Handler, SecondAgent } from './agent.ts';
import { now_ms } from './interleave.ts';
import type { Side } from './interleave.ts';

export const COMMAND_BYTE_CALLS = 17;

const METHOD_STOP = 2;
const CALL_BYTES = CALL | (1 << TAG_STRING_SHIFT);
const CALL_STOP = CALL | (METHOD_STOP << TAG_METHOD_SHIFT);
const REPLY_BYTES = REPLY | (1 << TAG_STRING_SHIFT);

let sink = 0;

/** One thread's private bytes, and where it finds what it is sent. */
interface Ends {
  readonly source: Uint8Array;
  /** The words of the window, or of the private buffer for what is longer. */
  readonly arrived: Int32Array;
}

function endsOf(self: Tcb, size: number): Ends {
  const source = new Uint8Array(size).fill(5);
  const fits = size <= (words[self + TCB_WINDOW_BYTES] as number);
  stated.length = 0;
  if (fits) return { source, arrived: new Int32Array(memory, words[self + TCB_WINDOW] as number, size >> 2) };
  const buffer = new Uint8Array(size);
  stated.push(buffer);
  return { source, arrived: new Int32Array(buffer.buffer) };
}

/** States the bytes to send. The registers and the list of strings are the agent's, and the floor leaves them alone. */
function state(source: Uint8Array): void {
  outgoing[0] = source;
  registers[R_STRING] = source.length;
}

function arrive(ends: Ends, result: Result): void {
  if (result !== OK || registers[R_STRING] !== ends.source.length) throw new Error(`the ipc ended with ${result}`);
  sink ^= readEveryLine(ends.arrived);
}

/** Calls until told to stop. `mine` is the thread id of the server. */
export const serveByteCalls: Handler = (mine, _theirs, _count, size) => {
  const self = tcbOf(mine);
  const ends = endsOf(self, size);
  let result = receive(self, 0, NEVER);
  for (;;) {
    const caller = registers[R_SENDER] as ThreadId;
    const sequence = registers[R_SEQUENCE] as number;
    if ((registers[R_TAG] as number) >> TAG_METHOD_SHIFT === METHOD_STOP) {
      reply(self, caller, sequence, REPLY);
      stated.length = 0;
      return;
    }
    arrive(ends, result);
    state(ends.source);
    result = replyAndReceive(self, caller, sequence, REPLY_BYTES, NEVER);
  }
};

/** Calls of `size` bytes there and back from `client` to `server`. */
export function byteCalls(agent: SecondAgent, client: ThreadId, server: ThreadId, size: number): Side {
  const self = tcbOf(client);
  const ends = endsOf(self, size);
  return (count) => {
    agent.begin(COMMAND_BYTE_CALLS, server, client, 0, size);
    stated.length = 0;
    if (ends.arrived.buffer !== memory) stated.push(new Uint8Array(ends.arrived.buffer));
    const start_ms = now_ms();
    for (let round = 0; round < count; round++) {
      state(ends.source);
      arrive(ends, call(self, server, ANY_INDEX, CALL_BYTES, NEVER, NEVER));
    }
    const elapsed_ms = now_ms() - start_ms;
    const result = call(self, server, ANY_INDEX, CALL_STOP, NEVER, NEVER);
    if (result !== OK) throw new Error(`the last call ended with ${result}`);
    if (incoming.length > 1) throw new Error('more strings came than were sent');
    return elapsed_ms;
  };
}
