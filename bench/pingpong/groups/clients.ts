/** Several client tasks and one server task on fewer cores than tasks: the server's queue is never empty for long. */
import { boot } from '../../../src/index.ts';
import { mainCaller, startKernelFloor } from '../../floors/lines.ts';
import { moduleUrl } from '../../harness/files.ts';
import { SETTLE_ROUNDS_MS } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';

type ClientTask = typeof import('../../workers/client-task.ts');
type TypedTask = typeof import('../../workers/typed-task.ts');

const CLIENTS = 3;

export async function run(context: Context): Promise<void> {
  const system = await boot();
  const floor = startKernelFloor();
  const clientUrl = moduleUrl('workers/client-task.ts');
  const serverUrl = moduleUrl('workers/typed-task.ts');
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => system.spawn<ClientTask>(clientUrl)));
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const name = `server-${placement}`;
    const server = await system.spawn<TypedTask>(serverUrl, { name });
    const cacheline = floor.cacheline(mainCaller(), server.id);
    // A round is one call, whichever client makes it.
    const subject = async (count: number): Promise<number> => {
      const each = Math.ceil(count / CLIENTS);
      const runs = await Promise.all(clients.map((client) => client.async.run(name, SETTLE_ROUNDS_MS, each)));
      return Math.max(...runs.map(([, ended_ms]) => ended_ms)) - Math.min(...runs.map(([began_ms]) => began_ms));
    };
    await context.measure('clients.3', subject, cacheline, true);
  }
  floor.stop();
}
