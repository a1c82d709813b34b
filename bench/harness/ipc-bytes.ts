/**
 * The low-level call with one string item each way, as a side for the harness, and the loop that serves it. A message
 * that fits the receiver's window is read there, in place; a longer one is gathered into a buffer of the receiver's
 * own. Both read every line of it, as the floor does.
 */
import { TCB_WINDOW, TCB_WINDOW_BYTES, tcbOf } from '../../src/layout/tcb.ts';
import type { ThreadId } from '../../src/layout/tcb.ts';
import { words } from '../../src/platform/memory.ts';
import {
  acceptInto,
  call,
  makeTag,
  methodIn,
  OK,
  receive,
  replyAndReceive,
  sender,
  sequence,
  setString,
  stringLength,
  tag,
} from '../../src/user/ipc.ts';
import type { Result } from '../../src/user/ipc.ts';
import { readEveryLine } from '../floors/bytes.ts';
import type { Handler, SecondAgent } from './agent.ts';
import { actAs } from './bare-kernel.ts';
import { now_ms } from './interleave.ts';
import type { Side } from './interleave.ts';

export const COMMAND_BYTE_CALLS = 17;

const METHOD_BYTES = 1;
const METHOD_STOP = 2;
const CALL_BYTES = makeTag(0, 1, METHOD_BYTES);
const CALL_STOP = makeTag(0, 0, METHOD_STOP);
const REPLY_BYTES = makeTag(0, 1);
const REPLY_STOP = makeTag(0);
const WARM_BYTES = 1 << 18;

let sink = 0;

/** One thread's private bytes, and where it finds what it is sent. */
interface Ends {
  readonly source: Uint8Array;
  /** The words of the window, or of the private buffer for what is longer: one view for all messages. */
  readonly arrived: Int32Array;
  /** The private buffer, if there is one, as the kernel is to fill it. */
  readonly buffers: readonly Uint8Array[];
}

function endsOf(id: ThreadId, size: number): Ends {
  const source = new Uint8Array(size).fill(5);
  const tcb = tcbOf(id);
  if (size <= (words[tcb + TCB_WINDOW_BYTES] as number)) {
    return { source, arrived: new Int32Array(words.buffer, words[tcb + TCB_WINDOW] as number, size >> 2), buffers: [] };
  }
  const buffer = new Uint8Array(size);
  return { source, arrived: new Int32Array(buffer.buffer), buffers: [buffer] };
}

function arrive(ends: Ends, result: Result): void {
  if (result !== OK || stringLength(0) !== ends.source.length) throw new Error(`the ipc ended with ${result}`);
  sink ^= readEveryLine(ends.arrived);
}

/** Calls until told to stop. `mine` is the thread id of the server. */
export const serveByteCalls: Handler = (mine, _theirs, _count, size) => {
  actAs(mine as ThreadId);
  const ends = endsOf(mine as ThreadId, size);
  acceptInto(ends.buffers);
  let result = receive();
  while (methodIn(tag()) !== METHOD_STOP) {
    arrive(ends, result);
    setString(0, ends.source);
    result = replyAndReceive(sender(), sequence(), REPLY_BYTES);
  }
  replyAndReceive(sender(), sequence(), REPLY_STOP, 0);
  acceptInto([]);
};

function callBytes(server: ThreadId, ends: Ends, count: number): void {
  for (let round = 0; round < count; round++) {
    setString(0, ends.source);
    arrive(ends, call(server, CALL_BYTES));
  }
}

/** Calls of `size` bytes there and back from `client` to `server`. */
export function byteCalls(agent: SecondAgent, client: ThreadId, server: ThreadId, size: number): Side {
  const ends = endsOf(client, size);
  return (count) => {
    actAs(client);
    acceptInto(ends.buffers);
    agent.begin(COMMAND_BYTE_CALLS, server, client, 0, size);
    callBytes(server, ends, Math.ceil(WARM_BYTES / size));
    const start_ms = now_ms();
    callBytes(server, ends, count);
    const elapsed_ms = now_ms() - start_ms;
    const result = call(server, CALL_STOP);
    acceptInto([]);
    if (result !== OK) throw new Error(`the last call ended with ${result}`);
    return elapsed_ms;
  };
}
