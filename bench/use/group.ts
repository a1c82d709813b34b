/** The rows of use in a measuring process, one side of one row in each. */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { moduleUrl } from '../harness/files.ts';
import { count, histogram, packed, totalOf } from '../harness/histogram.ts';
import { threadTime_ms } from '../harness/cpu.ts';
import { now_ms } from '../harness/interleave.ts';
import type { Context } from '../harness/job.ts';
import { rivalOf, ROWS } from './rows.ts';
import type { Row } from './rows.ts';
import { openL3kernel, openRival } from './sides.ts';
import type { Call, Side } from './sides.ts';

const GAP_MS = 1;
/** Dense calls before the clock starts: V8 has compiled the path then. */
const WARM_MS = 300;
/** The same for clients, which share the cores. */
const CLIENTS_WARM_MS = 200;
/** Rows with a gap before each call have few calls, and run longer. */
const GAPS_LONGER = 2;

interface Measured {
  readonly counts: Float64Array;
  /** Processor time of the caller's own work, which is no part of the calls. */
  readonly work_ms: number;
}

async function dense(call: Call, duration_ms: number): Promise<Measured> {
  const counts = histogram();
  let before_ms = now_ms();
  for (const end_ms = before_ms + duration_ms; before_ms < end_ms;) {
    const sum = call(1, 2);
    if (typeof sum !== 'number') await sum;
    const after_ms = now_ms();
    count(counts, after_ms - before_ms);
    before_ms = after_ms;
  }
  return { counts, work_ms: 0 };
}

/** After each gap a burst of calls. */
async function gaps(call: Call, burst: number, isAsleep: boolean, duration_ms: number): Promise<Measured> {
  const counts = histogram();
  let work_ms = 0;
  for (const end_ms = now_ms() + duration_ms * GAPS_LONGER; now_ms() < end_ms;) {
    if (isAsleep) await sleep(GAP_MS);
    else {
      const used_ms = threadTime_ms();
      for (const gapEnd_ms = now_ms() + GAP_MS; now_ms() < gapEnd_ms;);
      work_ms += threadTime_ms() - used_ms;
    }
    for (let left = burst; left > 0; left--) {
      const before_ms = now_ms();
      const sum = call(1, 2);
      if (typeof sum !== 'number') await sum;
      count(counts, now_ms() - before_ms);
    }
  }
  return { counts, work_ms };
}

async function flight(call: Side['callAsync'], size: number, duration_ms: number): Promise<Measured> {
  const counts = histogram();
  const one = async (): Promise<void> => {
    const before_ms = now_ms();
    await call(1, 2);
    count(counts, now_ms() - before_ms);
  };
  for (const end_ms = now_ms() + duration_ms; now_ms() < end_ms;) await Promise.all(Array.from({ length: size }, one));
  return { counts, work_ms: 0 };
}

/** What a row measures. All that it needs is there before it does. */
type Measure = (duration_ms: number) => Promise<Measured>;

async function open(side: Side, { pattern, size }: Row): Promise<Measure> {
  switch (pattern) {
    case 'gaps':
    case 'asleep':
      return (duration_ms) => gaps(side.call, 1, pattern === 'asleep', duration_ms);
    case 'burst':
      return (duration_ms) => gaps(side.call, size, false, duration_ms);
    case 'flight':
      return (duration_ms) => flight(side.callAsync, size, duration_ms);
    case 'clients':
    case 'pairs': {
      const run = await side.openClients(size, pattern === 'pairs' ? size : 1);
      await run(CLIENTS_WARM_MS);
      return async (duration_ms) => ({ counts: await run(duration_ms), work_ms: 0 });
    }
    default:
      return (duration_ms) => dense(side.call, duration_ms);
  }
}

export async function run(context: Context): Promise<void> {
  for (const row of ROWS) {
    const word = [row.name, rivalOf(row.name)].find((name) => context.wants(name));
    if (word === undefined) continue;
    const side = word === row.name ? await openL3kernel() : openRival();
    const duration_ms = context.plan.block_ms;
    await dense(side.call, Math.min(WARM_MS, duration_ms));
    const busy = row.pattern === 'busy' ? availableParallelism() : 0;
    const others = Array.from({ length: busy }, () => new Worker(moduleUrl('workers/busy.ts')));
    const measure = await open(side, row);
    const cpu = process.cpuUsage();
    const began_ms = now_ms();
    const { counts, work_ms } = await measure(duration_ms);
    const elapsed_ms = now_ms() - began_ms;
    const { user, system } = process.cpuUsage(cpu);
    // The others are of no call; what they take is not told apart from what the two sides take.
    const cpu_ms = busy > 0 ? Number.NaN : (user + system) / 1e3 - work_ms;
    for (const other of others) await other.terminate();
    context.find(word, { ...packed(counts), calls: totalOf(counts), elapsed_ms, cpu_ms });
  }
}
