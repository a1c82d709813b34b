/** The cells of the removal tables, measured in a process that runs the kernel or one of its variants. */
import { NEVER } from '../../src/layout/message.ts';
import { generatorPair } from '../floors/generator.ts';
import { formatBareKernel } from '../harness/bare-kernel.ts';
import type { BareKernel } from '../harness/bare-kernel.ts';
import { timed } from '../harness/interleave.ts';
import { startIpcAgent } from '../harness/ipc-agent.ts';
import { byteCalls } from '../harness/ipc-bytes.ts';
import type { Context } from '../harness/job.ts';
import { localCalls } from '../harness/local-calls.ts';
import { CELLS, WORDS_BYTES_MAX } from './cells.ts';

const WORD_BYTES = 8;
const TIMEOUT_MS = 1000;

async function measureLocal(context: Context, kernel: BareKernel): Promise<void> {
  const generators = generatorPair();
  const floor = timed((count) => generators.run(count));
  for (const { name, size } of CELLS) {
    if (!name.startsWith('local.') || !context.wants(name)) continue;
    const timeout_ms = name === 'local.timeout' ? TIMEOUT_MS : NEVER;
    const side = localCalls(kernel.processor, kernel.localPair(), (size as number) / WORD_BYTES, timeout_ms);
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
        ? ipc.calls(client, server, bytes / WORD_BYTES)
        : byteCalls(ipc.agent, client, server, bytes);
      await context.measure(name, side, floor);
    }
    await measureLocal(context, kernel);
  }
  ipc.agent.stop();
}
