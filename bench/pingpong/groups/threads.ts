/**
 * Whether a call costs more when many threads exist and wait. The threads are real control blocks in the waiting state;
 * before each block as many are put to wait as the row asks for and the others are made to run, so that the row and its
 * floor differ in nothing else.
 */
import { open, running, TCB_STATE, tcbOf } from '../../../src/layout/tcb.ts';
import type { ThreadId } from '../../../src/layout/tcb.ts';
import { words } from '../../../src/platform/memory.ts';
import { formatBareKernel } from '../../harness/bare-kernel.ts';
import type { Side } from '../../harness/interleave.ts';
import { startIpcAgent } from '../../harness/ipc-agent.ts';
import type { Context } from '../../harness/job.ts';
import { ROWS } from '../rows.ts';

const FLOOR_THREADS = 2;

export async function run(context: Context): Promise<void> {
  const rows = ROWS.filter((row) => row.group === 'threads' && context.wants(row.name));
  const kernel = formatBareKernel();
  const ipc = startIpcAgent();
  const others: ThreadId[] = [];
  const threads_max = Math.max(...rows.map((row) => row.size as number), FLOOR_THREADS);
  while (others.length < threads_max) others.push(kernel.thread());

  const withWaiting = (waiting: number, side: Side): Side => {
    return (count) => {
      for (const [index, id] of others.entries()) {
        Atomics.store(words, tcbOf(id) + TCB_STATE, index < waiting ? open(id) : running(id));
      }
      return side(count);
    };
  };

  for (let placement = 0; placement < context.plan.placements; placement++) {
    const { client, server } = kernel.pair();
    const calls = ipc.calls(client, server);
    for (const row of rows) {
      await context.measure(row.name, withWaiting(row.size as number, calls), withWaiting(FLOOR_THREADS, calls));
    }
  }
  ipc.agent.stop();
}
