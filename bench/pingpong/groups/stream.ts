/**
 * Streams: one step of an iterator of a worker, one value or a batch of them. A stream has no end here, so that nothing
 * but steps is measured; each placement is a task of its own.
 */
import { boot } from '../../../src/index.ts';
import type { Task } from '../../../src/index.ts';
import { mainCaller, startKernelFloor } from '../../floors/lines.ts';
import { moduleUrl } from '../../harness/files.ts';
import { timedSettled } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';

type StreamTask = typeof import('../../workers/stream-task.ts');

let sink: unknown;

/** Values of `batch` at a time. */
function steps(task: Task<StreamTask>, batch: number): Side {
  const stream = task.with({ batch }).sync.numbers();
  return timedSettled((count) => {
    for (let round = 0; round < count; round++) sink = stream.next().value;
  });
}

const subjects: Readonly<Record<string, number>> = { 'worker.stream': 1, 'worker.stream.batch': 100 };

export async function run(context: Context): Promise<void> {
  const system = await boot();
  const floor = startKernelFloor();
  const url = moduleUrl('workers/stream-task.ts');
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const task = await system.spawn<StreamTask>(url);
    const cacheline = floor.cacheline(mainCaller(), task.id);
    for (const [row, batch] of Object.entries(subjects)) {
      if (context.wants(row)) await context.measure(row, steps(task, batch), cacheline, true);
    }
  }
  floor.stop();
  if (sink === undefined) throw new Error('no step was made');
}
