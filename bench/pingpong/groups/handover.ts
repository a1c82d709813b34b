/**
 * A caller that calls now and then: one call, or a burst of them, and then work of its own. The subject has hand-over
 * on one core, the floor is the same program without it. A process has one system at a time, so the two sides take
 * turns: each placement boots a system for either.
 *
 * A block is a number of gaps with a burst behind each. Its figure is the median of the bursts, as time per call: what
 * a caller meets, and not what one preemption in a hundred makes of the mean.
 */
import { boot } from '../../../src/index.ts';
import type { Task } from '../../../src/index.ts';
import { loadAffinity } from '../../../src/platform/affinity.ts';
import { moduleUrl } from '../../harness/files.ts';
import { now_ms } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';
import { quantile } from '../../harness/stats.ts';

type TypedTask = typeof import('../../workers/typed-task.ts');

/** Rows, and the calls of a burst. */
const BURSTS = { 'worker.sparse': 1, 'burst.10': 10, 'burst.100': 100, 'burst.1000': 1_000 };
/** Two boots for each: fewer of them than other groups have. */
const PLACEMENTS_MAX = 6;
const GAP_MS = 1;
/** Time of dense calls that have V8 compile the path, and gaps in which the server learns how it is called. */
const WARM_MS = 60;
const WARM_GAPS = 10;
const GAPS = 40;
/** On a crowded machine a burst without hand-over may take seconds: after this time a block ends. */
const BLOCK_MS_MAX = 500;
const GAPS_MIN = 5;

/** The caller's own work: it keeps its core. */
function work(time_ms: number): void {
  const end_ms = now_ms() + time_ms;
  while (now_ms() < end_ms);
}

function nsPerCall({ sync }: Task<TypedTask>, burst: number): number {
  const samples: number[] = [];
  const end_ms = now_ms() + BLOCK_MS_MAX;
  for (let gap = -WARM_GAPS; gap < GAPS && (samples.length < GAPS_MIN || now_ms() < end_ms); gap++) {
    work(GAP_MS);
    const start_ms = now_ms();
    for (let call = 0; call < burst; call++) sync.add(call, 2);
    if (gap >= 0) samples.push(((now_ms() - start_ms) * 1e6) / burst);
  }
  return quantile(samples, 0.5);
}

/** The figures of the wanted rows, in a system with hand-over or in one without. */
async function side(handover: boolean, context: Context): Promise<Map<string, number>> {
  const system = await boot({ handover });
  const task = await system.spawn<TypedTask>(moduleUrl('workers/typed-task.ts'));
  const end_ms = now_ms() + WARM_MS;
  while (now_ms() < end_ms) task.sync.add(1, 1);
  const figures = new Map<string, number>();
  for (const [row, burst] of Object.entries(BURSTS)) {
    if (context.wants(row)) figures.set(row, nsPerCall(task, burst));
  }
  await system.shutdown();
  return figures;
}

export async function run(context: Context): Promise<void> {
  // Throws, and says what is missing, where there is no hand-over.
  loadAffinity();
  for (let placement = 0; placement < Math.min(context.plan.placements, PLACEMENTS_MAX); placement++) {
    const first = await side(placement % 2 === 0, context);
    const second = await side(placement % 2 !== 0, context);
    const [subject, floor] = placement % 2 === 0 ? [first, second] : [second, first];
    for (const [row, ns] of subject) context.record(row, { ns, floor_ns: floor.get(row)! });
  }
}
