/** What waiting tasks cost: processor time of the whole process while every task is parked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { boot } from '../../../src/index.ts';
import { moduleUrl } from '../../harness/files.ts';
import { now_ms } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';

type TypedTask = typeof import('../../workers/typed-task.ts');

const TASKS = 16;
/** The last of the start-up work (compilation in the background, first collections) is over after this. */
const SETTLE_MS = 500;
const IDLE_MS = 3_000;

export async function run(context: Context): Promise<void> {
  const system = await boot();
  const url = moduleUrl('workers/typed-task.ts');
  for (let index = 0; index < TASKS; index++) {
    const task = await system.spawn<TypedTask>(url);
    task.sync.add(index, 1);
  }
  await sleep(SETTLE_MS);
  const before = process.cpuUsage();
  const start_ms = now_ms();
  await sleep(IDLE_MS);
  const wall_ms = now_ms() - start_ms;
  const used = process.cpuUsage(before);
  context.record('idle.cpu', { ns: (used.user + used.system) * 1e3, floor_ns: wall_ms * 1e6 });
}
