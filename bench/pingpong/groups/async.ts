/** The asynchronous rows: one call after another, and a thousand at a time. */
import { boot } from '../../../src/index.ts';
import { mainCaller, startKernelFloor } from '../../floors/lines.ts';
import { moduleUrl } from '../../harness/files.ts';
import { timedAsyncSettled } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';

type TypedTask = typeof import('../../workers/typed-task.ts');
type Add = (left: number, right: number) => Promise<number>;

const IN_FLIGHT = 1_000;

function oneAfterAnother(add: Add): Side {
  return timedAsyncSettled(async (count) => {
    for (let round = 0; round < count; round++) await add(round, 2);
  });
}

/** A round is one call; the last batch of a block is as large as what is left of it. */
function thousandInFlight(add: Add): Side {
  return timedAsyncSettled(async (count) => {
    for (let left = count; left > 0; left -= IN_FLIGHT) {
      const batch: Promise<number>[] = [];
      for (let round = Math.min(left, IN_FLIGHT); round > 0; round--) batch.push(add(round, 2));
      await Promise.all(batch);
    }
  });
}

export async function run(context: Context): Promise<void> {
  const system = await boot();
  const floor = startKernelFloor();
  const url = moduleUrl('workers/typed-task.ts');
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const task = await system.spawn<TypedTask>(url);
    const add: Add = task.async.add;
    for (let round = 0; round < 100; round++) await add(round, 1);
    const cacheline = floor.cacheline(mainCaller(), task.id);
    if (context.wants('worker.async')) await context.measure('worker.async', oneAfterAnother(add), cacheline, true);
    if (context.wants('worker.async.1000'))
      await context.measure('worker.async.1000', thousandInFlight(add), cacheline, true);
  }
  floor.stop();
}
