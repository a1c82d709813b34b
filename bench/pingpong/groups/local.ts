/**
 * Calls within one agent: between two generator threads that the dispatcher switches, and to a passive thread, which is
 * a function on its caller's stack. The floor is two bare generator switches for both.
 */
import { callPassive, startPassive } from '../../../src/kernel/dispatch.ts';
import { CALL, NEVER, OK, R_WORD, REPLY } from '../../../src/layout/message.ts';
import { tcbOf } from '../../../src/layout/tcb.ts';
import { registers } from '../../../src/platform/registers.ts';
import { generatorPair } from '../../floors/generator.ts';
import { formatBareKernel } from '../../harness/bare-kernel.ts';
import type { ThreadPair } from '../../harness/bare-kernel.ts';
import { timed } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';
import { localCalls } from '../../harness/local-calls.ts';

const WORDS = 2;
const CALL_ADD = CALL | WORDS;
const REPLY_ADD = REPLY | WORDS;

function add(): void {
  registers[R_WORD] = ((registers[R_WORD] as number) + (registers[R_WORD + 2] as number)) | 0;
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
    if (context.wants('local.call'))
      await context.measure('local.call', localCalls(kernel.processor, pair, WORDS, NEVER), floor);
    if (context.wants('local.passive')) await context.measure('local.passive', passiveSide(kernel.localPair()), floor);
  }
}
