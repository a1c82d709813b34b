/** The cells of the removal tables, measured in a process that runs the kernel or one of its variants. */
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
import { generatorPair } from '../floors/generator.ts';
import { formatBareKernel } from '../harness/bare-kernel.ts';
import type { BareKernel, ThreadPair } from '../harness/bare-kernel.ts';
import { timed } from '../harness/interleave.ts';
import type { Side } from '../harness/interleave.ts';
import { startIpcAgent } from '../harness/ipc-agent.ts';
import { byteCalls } from '../harness/ipc-bytes.ts';
import type { Context } from '../harness/job.ts';
import { CELLS, WORDS_BYTES_MAX } from './cells.ts';
import { wordCalls } from './word-calls.ts';

const WORD_BYTES = 8;
const TIMEOUT_MS = 1000;

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

function localSide(processor: Processor, { client, server }: ThreadPair, count: number, timeout_ms: number): Side {
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

async function measureLocal(context: Context, kernel: BareKernel): Promise<void> {
  const generators = generatorPair();
  const floor = timed((count) => generators.run(count));
  for (const { name, size } of CELLS) {
    if (!name.startsWith('local.') || !context.wants(name)) continue;
    const timeout_ms = name === 'local.timeout' ? TIMEOUT_MS : NEVER;
    const side = localSide(kernel.processor, kernel.localPair(), (size as number) / WORD_BYTES, timeout_ms);
    await context.measure(name, side, floor);
  }
}

export async function run(context: Context): Promise<void> {
  const kernel = formatBareKernel(true);
  const ipc = startIpcAgent();
  const cells = CELLS.filter(({ name }) => name.startsWith('worker.') && context.wants(name));
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const { client, server } = kernel.pair();
    const floor = ipc.cacheline(client, server);
    for (const { name, size } of cells) {
      const bytes = size as number;
      const isWords = bytes <= WORDS_BYTES_MAX;
      const side = isWords
        ? wordCalls(ipc.agent, client, server, bytes / WORD_BYTES)
        : byteCalls(ipc.agent, client, server, bytes);
      await context.measure(name, side, floor);
    }
    await measureLocal(context, kernel);
  }
  ipc.agent.stop();
}
