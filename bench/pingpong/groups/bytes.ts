/** Bytes through the low-level call, one string item each way. */
import { formatBareKernel } from '../../harness/bare-kernel.ts';
import { startIpcAgent } from '../../harness/ipc-agent.ts';
import { byteCalls } from '../../harness/ipc-bytes.ts';
import type { Context } from '../../harness/job.ts';
import { floorWord } from '../../floors/lines.ts';
import { ROWS } from '../rows.ts';

export async function run(context: Context): Promise<void> {
  const rows = ROWS.filter((row) => row.group === 'bytes' && context.wants(row.name));
  const kernel = formatBareKernel(true);
  const ipc = startIpcAgent(Math.max(...rows.map((row) => row.size as number)));
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const { client, server } = kernel.pair();
    for (const row of rows) {
      const size = row.size as number;
      const floor = ipc.floors.bytes(floorWord(client), floorWord(server), size);
      await context.measure(row.name, byteCalls(ipc.agent, client, server, size), floor);
    }
  }
  ipc.agent.stop();
}
