/** Sandboxes: a call into one, a call out of one, and a fresh one of an engine that is warm. */
import { boot } from '../../../src/index.ts';
import { callFloor, freshFloor, hostFloor, MODULE } from '../../floors/quickjs.ts';
import { timed } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';

const URL_OF_MODULE = `data:text/javascript,${encodeURIComponent(MODULE)}`;
const OPTIONS = { engine: 'quickjs', host: { add: (a: number, b: number) => a + b } } as const;

export async function run(context: Context): Promise<void> {
  const system = await boot();
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const task = await system.spawn(URL_OF_MODULE, OPTIONS);
    const { add, loop } = task.sync;
    const calls = timed((count) => {
      for (let round = 0; round < count; round++) add(round, 2);
    });
    if (context.wants('quickjs.call')) await context.measure('quickjs.call', calls, callFloor());
    if (context.wants('quickjs.host')) {
      await context.measure(
        'quickjs.host',
        timed((count) => void loop(count)),
        hostFloor(),
      );
    }
    const spawns = timed((count) => {
      for (let round = 0; round < count; round++) void system.spawnSync(URL_OF_MODULE, OPTIONS).kill();
    });
    if (context.wants('quickjs.fresh')) await context.measure('quickjs.fresh', spawns, freshFloor());
    await task.kill();
  }
  await system.shutdown();
}
