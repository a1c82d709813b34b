/** The low-level call between two agents: every check, two words each way, no stub. */
import { formatBareKernel } from '../../harness/bare-kernel.ts';
import { startIpcAgent } from '../../harness/ipc-agent.ts';
import type { Context } from '../../harness/job.ts';

export async function run(context: Context): Promise<void> {
  const kernel = formatBareKernel();
  const ipc = startIpcAgent();
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const { client, server } = kernel.pair();
    await context.measure('worker.call', ipc.calls(client, server), ipc.cacheline(client, server));
  }
  ipc.agent.stop();
}
