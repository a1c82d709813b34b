/**
 * Calls within one agent: between two generator threads that the dispatcher switches, and to a passive thread, which is
 * a function on its caller's stack. The floor is two bare generator switches for both.
 */
import { callPassive, dispatch, startBody, startPassive } from '../../../src/kernel/dispatch.ts';
import type { Body } from '../../../src/kernel/dispatch.ts';
import { insertReady } from '../../../src/kernel/ready.ts';
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
} from '../../../src/layout/message.ts';
import type { Result } from '../../../src/layout/message.ts';
import type { Processor } from '../../../src/layout/task.ts';
import { running, TCB_STATE, tcbOf } from '../../../src/layout/tcb.ts';
import type { ThreadId } from '../../../src/layout/tcb.ts';
import { words } from '../../../src/platform/memory.ts';
import { registers } from '../../../src/platform/registers.ts';
import { generatorPair } from '../../floors/generator.ts';
import { formatBareKernel } from '../../harness/bare-kernel.ts';
import type { ThreadPair } from '../../harness/bare-kernel.ts';
import { timed } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';

const CALL_ADD = CALL | 2;
const REPLY_ADD = REPLY | 2;

function add(): void {
  registers[R_WORD] = ((registers[R_WORD] as number) + (registers[R_WORD + 2] as number)) | 0;
}

/** Waits until the block gives it calls to make, makes them, and waits again. */
function* clientBody(server: ThreadId, left: { calls: number }): Generator<number, never, Result> {
  for (;;) {
    for (; left.calls > 0; left.calls--) {
      registers[R_SENDER] = server;
      registers[R_TAG] = CALL_ADD;
      registers[R_SEND_TIMEOUT] = NEVER;
      registers[R_RECEIVE_TIMEOUT] = NEVER;
      registers[R_WORD] = left.calls;
      registers[R_WORD + 2] = 2;
      const result = yield OP_CALL;
      if (result !== OK || registers[R_WORD] !== left.calls + 2) throw new Error(`call ended with ${result}`);
    }
    registers[R_SENDER] = 0;
    registers[R_RECEIVE_TIMEOUT] = NEVER;
    yield OP_RECEIVE;
  }
}

function* serverBody(): Generator<number, never, Result> {
  registers[R_SENDER] = 0;
  registers[R_RECEIVE_TIMEOUT] = NEVER;
  yield OP_RECEIVE;
  for (;;) {
    add();
    registers[R_TAG] = REPLY_ADD;
    yield OP_REPLY_AND_RECEIVE;
  }
}

function generatorSide(processor: Processor, { client, server }: ThreadPair): Side {
  const left = { calls: 0 };
  const clientTcb = tcbOf(client);
  startBody(processor, tcbOf(server), serverBody() as Body);
  startBody(processor, clientTcb, clientBody(server, left) as Body);
  while (dispatch(processor, 0));
  return timed((count) => {
    left.calls = count;
    // The client waits for a message that nobody sends; the block itself makes it ready.
    words[clientTcb + TCB_STATE] = running(client);
    insertReady(processor, clientTcb);
    while (dispatch(processor, 0));
    if (left.calls !== 0) throw new Error(`${left.calls} calls were not made`);
  });
}

function passiveSide({ client, server }: ThreadPair): Side {
  const self = tcbOf(client);
  startPassive(tcbOf(server), () => {
    add();
    return REPLY_ADD;
  });
  return timed((count) => {
    for (let round = 0; round < count; round++) {
      registers[R_WORD] = round;
      registers[R_WORD + 2] = 2;
      const result = callPassive(self, server, CALL_ADD);
      if (result !== OK || registers[R_WORD] !== round + 2) throw new Error(`call ended with ${result}`);
    }
  });
}

export async function run(context: Context): Promise<void> {
  const kernel = formatBareKernel();
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const generators = generatorPair();
    const floor = timed((count) => generators.run(count));
    const pair = kernel.localPair();
    if (context.wants('local.call')) await context.measure('local.call', generatorSide(kernel.processor, pair), floor);
    if (context.wants('local.passive')) await context.measure('local.passive', passiveSide(kernel.localPair()), floor);
  }
}
