/**
 * The typed rows: what a program sees, `t.sync.f(…)`. Each placement is a task of its own, so that the stubs, the
 * thread control block and the agent on the far side are others each time; the tasks stay, since a freed block is used
 * again.
 */
import { boot } from '../../../src/index.ts';
import type { Task } from '../../../src/index.ts';
import { mainCaller, startKernelFloor } from '../../floors/lines.ts';
import { moduleUrl } from '../../harness/files.ts';
import { timed, timedSettled } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';
import { tenRecords } from '../../workers/records.ts';

type TypedTask = typeof import('../../workers/typed-task.ts');

/** Texts of one length and different content: a constant would be one object that V8 has flattened and hashed. */
const TEXTS = Array.from(
  { length: 16 },
  (_, index) => `${String.fromCharCode(97 + index)}bcdefghijklmnopqrstuvwxyz012345`,
);

let sink: unknown;

const subjects: Readonly<Record<string, (task: Task<TypedTask>) => Side>> = {
  'worker.sync': ({ sync }) =>
    timedSettled((count) => {
      for (let round = 0; round < count; round++) sink = sync.add(round, 2);
    }),
  'worker.sync.string': ({ sync }) =>
    timedSettled((count) => {
      for (let round = 0; round < count; round++) sink = sync.echo(TEXTS[round & 15] as string);
    }),
  'worker.sync.object': ({ sync }) =>
    timedSettled((count) => {
      for (let round = 0; round < count; round++) sink = sync.search();
    }),
  'worker.upcall': ({ sync }) => {
    const twice = (value: number): number => value * 2;
    return timedSettled((count) => {
      for (let round = 0; round < count; round++) sink = sync.apply(twice, round);
    });
  },
};

function cloneSide(): Side {
  const records = tenRecords();
  return timed((count) => {
    for (let round = 0; round < count; round++) sink = structuredClone(records);
  });
}

export async function run(context: Context): Promise<void> {
  const system = await boot();
  const floor = startKernelFloor();
  const clone = cloneSide();
  const url = moduleUrl('workers/typed-task.ts');
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const task = await system.spawn<TypedTask>(url);
    // The first calls compile the stub and find the server.
    for (let round = 0; round < 100; round++) task.sync.add(round, 1);
    const cacheline = floor.cacheline(mainCaller(), task.id);
    for (const [row, open] of Object.entries(subjects)) {
      if (!context.wants(row)) continue;
      await context.measure(row, open(task), row === 'worker.sync.object' ? clone : cacheline, true);
    }
  }
  floor.stop();
  if (sink === undefined) throw new Error('no call was made');
}
