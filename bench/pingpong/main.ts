/**
 * Runs the rows: repetition by repetition, and within one repetition group by group, so that the processes of one row
 * are spread over the whole run and a slow minute of the machine touches a few samples of each and not all of one.
 */
import { prepareSubject } from '../harness/bundle.ts';
import type { Subject } from '../harness/bundle.ts';
import { now_ms } from '../harness/interleave.ts';
import type { Failure, Job, JobResult, Plan, RunOptions } from '../harness/job.ts';
import { machineFacts } from '../harness/machine.ts';
import { SPREAD_MAX } from '../harness/overhead.ts';
import type { Overhead } from '../harness/overhead.ts';
import { mergeFailures, runJob } from '../harness/processes.ts';
import { median, summarizePairs } from '../harness/stats.ts';
import type { Pair } from '../harness/stats.ts';
import { reportRow } from './report.ts';
import type { Report } from './report.ts';
import { selectRows } from './rows.ts';
import type { Row } from './rows.ts';

/** The plan that judges: see "How it is judged" in the design. */
export const FULL: Plan = { processes: 5, placements: 16, pairs: 1, block_ms: 20 };

/** The plan for tests of the benchmark itself: its figures mean nothing. */
export const QUICK: Plan = { processes: 1, placements: 2, pairs: 1, block_ms: 4 };

/**
 * No process is started after this, unless the caller has another limit. On a quiet machine the full plan needs less;
 * on a crowded one the last repetitions are given up, and the report says how many processes they were.
 */
const BUDGET_MS = 300_000;

/** Rows with as many bytes take seconds, and would keep those of their group from the time of a process. */
const SLOW_BYTES = 1 << 20;

/**
 * The jobs of a run in their order: all groups once, then all groups again. A run with one process for each is to show
 * that the rows run, and takes those of a group together: to start a process is most of what they need.
 */
export function jobsOf(rows: readonly Row[], plan: Plan): Job[] {
  const units = new Map<string, Row[]>();
  for (const row of rows) {
    const isApart = row.apart === true && (plan.processes > 1 || (row.size ?? 0) >= SLOW_BYTES);
    const unit = isApart ? row.name : `group ${row.group}`;
    units.set(unit, [...(units.get(unit) ?? []), row]);
  }
  const jobs: Job[] = [];
  for (let repetition = 0; repetition < plan.processes; repetition++) {
    for (const members of units.values()) {
      const wanted = members.filter((row) => repetition < (row.processes_max ?? plan.processes));
      const first = wanted[0];
      if (first === undefined) continue;
      jobs.push({ group: first.group, rows: wanted.map((row) => row.name), plan, repetition });
    }
  }
  return jobs;
}

function harnessOf(
  overheads: readonly Overhead[],
  plan: Plan,
  subject: Subject,
  left_out: number,
  elapsed_ms: number,
): Report['harness'] {
  const spread = median(overheads.map((overhead) => overhead.spread));
  return {
    loop_ns: median(overheads.map((overhead) => overhead.loop_ns)),
    call_ns: median(overheads.map((overhead) => overhead.call_ns)),
    spread,
    stable: spread <= SPREAD_MAX,
    processes: plan.processes,
    placements: plan.placements,
    left_out,
    bundled: subject.bundled,
    library: subject.library,
    elapsed_ms,
  };
}

/** Rows that no process failed on and that have no figure all the same. */
function withoutFigure(
  pairs: ReadonlyMap<string, readonly Pair[]>,
  failed: ReadonlySet<string>,
  left_out: number,
): Failure[] {
  const rows = [...pairs].filter(([name, taken]) => taken.length === 0 && !failed.has(name)).map(([name]) => name);
  if (rows.length === 0) return [];
  const late = left_out > 0 ? ', or the time was over before their turn' : '';
  return [{ rows, message: `the two agents never had a core each${late}` }];
}

export async function runPingpong(options: RunOptions): Promise<Report> {
  const start_ms = now_ms();
  const budget_ms = options.budget_ms ?? BUDGET_MS;
  const rows = selectRows(options.words);
  const jobs = jobsOf(rows, options.plan);
  const pairs = new Map<string, Pair[]>(rows.map((row) => [row.name, []]));
  const results: JobResult[] = [];
  const failed = new Set<string>();
  let left_out = 0;
  const subject = await prepareSubject();
  try {
    for (const [index, job] of jobs.entries()) {
      if (now_ms() - start_ms > budget_ms) {
        left_out = jobs.length - index;
        break;
      }
      options.progress?.(index, jobs.length, `${job.rows.join(', ')}: process ${job.repetition + 1}`);
      // What gave no figure once, after its whole deadline perhaps, would give none again.
      if (job.rows.every((row) => failed.has(row))) continue;
      const result = await runJob(job, subject);
      for (const row of job.rows) if (result.pairs[row] === undefined) failed.add(row);
      results.push(result);
      for (const [name, taken] of Object.entries(result.pairs)) pairs.get(name)?.push(...taken);
    }
  } finally {
    subject.remove();
  }
  const overheads = results.flatMap((result) => (result.overhead === undefined ? [] : [result.overhead]));
  return {
    machine: machineFacts(),
    harness: harnessOf(overheads, options.plan, subject, left_out, now_ms() - start_ms),
    rows: rows.flatMap((row) => {
      const taken = pairs.get(row.name) ?? [];
      return taken.length === 0 ? [] : [reportRow(row, summarizePairs(taken))];
    }),
    failures: [
      ...mergeFailures(results.flatMap((result) => result.failures)),
      ...withoutFigure(pairs, failed, left_out),
    ],
  };
}

export { reportText } from './report.ts';
