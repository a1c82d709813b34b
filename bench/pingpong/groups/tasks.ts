/** Whether a call costs more when many tasks live, each a parked worker; and the memory that each of them takes. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { boot } from '../../../src/index.ts';
import type { System, Task } from '../../../src/index.ts';
import { mainCaller, startKernelFloor } from '../../floors/lines.ts';
import { moduleUrl, sourceUrl } from '../../harness/files.ts';
import { now_ms, timedSettled } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';
import { ROWS } from '../rows.ts';

type TypedTask = typeof import('../../workers/typed-task.ts');
type BootTask = typeof import('../../workers/boot-task.ts');

const RESIDENT = 'worker.resident';
/** The first task brings the supervisor, and the first worker what all workers share. */
const FIRST = 2;
/** On a crowded machine sixty tasks may take minutes to start: the rows that have figures are to keep them. */
const STARTS_MS_MAX = 12_000;

const calls = ({ sync }: Task<TypedTask>): Side =>
  timedSettled((count) => {
    for (let round = 0; round < count; round++) sync.add(round, 2);
  });

async function bytesOf(count: number, start: () => Promise<unknown>): Promise<number> {
  for (let index = 0; index < FIRST; index++) await start();
  const before = process.memoryUsage.rss();
  for (let index = 0; index < count; index++) await start();
  return Math.max(1, process.memoryUsage.rss() - before) / count;
}

async function measureResident(context: Context, system: System, count: number): Promise<void> {
  const ns = await bytesOf(count, async () => {
    const task = await system.spawn<BootTask>(sourceUrl('workers/boot-task.mjs'));
    task.sync.add(1, 2);
  });
  const floor_ns = await bytesOf(count, () => {
    const worker = new Worker(sourceUrl('workers/bare-wait.mjs'));
    return once(worker, 'message');
  });
  context.record(RESIDENT, { ns, floor_ns });
}

export async function run(context: Context): Promise<void> {
  const rows = ROWS.filter(({ group, name }) => group === 'tasks' && context.wants(name));
  const system = await boot();
  const url = moduleUrl('workers/typed-task.ts');
  const floor = startKernelFloor();
  const task = await system.spawn<TypedTask>(url);
  const side = calls(task);
  const cacheline = floor.cacheline(mainCaller(), task.id);
  let others = 0;
  const end_ms = now_ms() + STARTS_MS_MAX;
  for (const { name, size } of rows) {
    if (name === RESIDENT) {
      await measureResident(context, system, size as number);
      continue;
    }
    if (now_ms() > end_ms) {
      context.fail(name, new Error('the tasks before took too long to start'));
      continue;
    }
    const more = Array.from({ length: (size as number) - others }, () => system.spawn<TypedTask>(url));
    for (const other of await Promise.all(more)) other.sync.add(others++, 1);
    for (let turn = 0; turn < context.plan.placements; turn++) await context.measure(name, side, cacheline);
  }
  floor.stop();
}
