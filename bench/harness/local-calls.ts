/** Calls between two generator threads of one agent, with so many message words, as a side for the harness. */
import { dispatch, startBody } from '../../src/kernel/dispatch.ts';
import type { Body } from '../../src/kernel/dispatch.ts';
import { insertReady } from '../../src/kernel/ready.ts';
import {
  CALL,
  NEVER,
  OK,
  OP_CALL,
  OP_RECEIVE,
  OP_REPLY_AND_RECEIVE,
  R_RECEIVE_TIMEOUT,
  R_SEND_TIMEOUT,
  R_SENDER,
  R_TAG,
  R_WORD,
  REPLY,
} from '../../src/layout/message.ts';
import type { Result } from '../../src/layout/message.ts';
import type { Processor } from '../../src/layout/task.ts';
import { running, TCB_STATE, tcbOf } from '../../src/layout/tcb.ts';
import type { ThreadId } from '../../src/layout/tcb.ts';
import { words } from '../../src/platform/memory.ts';
import { registers } from '../../src/platform/registers.ts';
import type { ThreadPair } from './bare-kernel.ts';
import { timed } from './interleave.ts';
import type { Side } from './interleave.ts';

interface Work {
  calls: number;
  readonly count: number;
  readonly timeout_ms: number;
}

/** Waits until the block gives it calls to make, makes them, and waits again. */
function* clientBody(server: ThreadId, work: Work): Generator<number, never, Result> {
  for (;;) {
    for (; work.calls > 0; work.calls--) {
      registers[R_SENDER] = server;
      registers[R_TAG] = CALL | work.count;
      registers[R_SEND_TIMEOUT] = NEVER;
      registers[R_RECEIVE_TIMEOUT] = work.timeout_ms;
      for (let i = 0; i < work.count; i++) registers[R_WORD + 2 * i] = work.calls;
      const result = yield OP_CALL;
      if (result !== OK || registers[R_WORD] !== work.calls + 1) throw new Error(`call ended with ${result}`);
    }
    registers[R_SENDER] = 0;
    registers[R_RECEIVE_TIMEOUT] = NEVER;
    yield OP_RECEIVE;
  }
}

function* serverBody(count: number): Generator<number, never, Result> {
  registers[R_SENDER] = 0;
  registers[R_RECEIVE_TIMEOUT] = NEVER;
  yield OP_RECEIVE;
  for (;;) {
    registers[R_WORD] = (registers[R_WORD] as number) + 1;
    registers[R_TAG] = REPLY | count;
    registers[R_RECEIVE_TIMEOUT] = NEVER;
    yield OP_REPLY_AND_RECEIVE;
  }
}

/** The server gives back what it gets, the first word one more. `timeout_ms` is that of each wait for an answer. */
export function localCalls(
  processor: Processor,
  { client, server }: ThreadPair,
  count: number,
  timeout_ms: number,
): Side {
  const work: Work = { calls: 0, count, timeout_ms };
  const clientTcb = tcbOf(client);
  startBody(processor, tcbOf(server), serverBody(count) as Body);
  startBody(processor, clientTcb, clientBody(server, work) as Body);
  while (dispatch(processor, 0));
  return timed((calls) => {
    work.calls = calls;
    // The client waits for a message that nobody sends; the block itself makes it ready.
    words[clientTcb + TCB_STATE] = running(client);
    insertReady(processor, clientTcb);
    while (dispatch(processor, 0));
    if (work.calls !== 0) throw new Error(`${work.calls} calls were not made`);
  });
}
