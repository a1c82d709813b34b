/**
 * Runs the rows of use: repetition by repetition, in each both sides of every row in processes of their own, directly
 * after each other and first one, then the other first.
 */
import { prepareSubject } from '../harness/bundle.ts';
import { addTo, histogram, quantileOf, totalOf, unpacked } from '../harness/histogram.ts';
import { now_ms } from '../harness/interleave.ts';
import type { Failure, Finding, Job, Plan, RunOptions } from '../harness/job.ts';
import { machineFacts } from '../harness/machine.ts';
import type { Machine } from '../harness/machine.ts';
import { mergeFailures, runJob } from '../harness/processes.ts';
import { median, quantile } from '../harness/stats.ts';
import { duration } from '../pingpong/report.ts';
import { RIVAL, rivalOf, selectRows } from './rows.ts';
import type { Row } from './rows.ts';

/** `block_ms` is the time that a side is measured for in one process. */
export const FULL: Plan = { processes: 5, placements: 1, pairs: 1, block_ms: 500 };
export const QUICK: Plan = { processes: 1, placements: 1, pairs: 1, block_ms: 40 };

/** No pair of processes is started after this. */
const BUDGET_MS = 240_000;

/** The times of one side's calls, all processes together, in nanoseconds. */
export interface Times {
  readonly calls: number;
  readonly p50_ns: number;
  readonly p99_ns: number;
  readonly p999_ns: number;
  /** Elapsed time over calls, and processor time over calls (0 where it is not told apart), of the median process. */
  readonly each_ns: number;
  readonly cpu_ns: number;
}

export interface UseRow extends Times {
  readonly name: string;
  readonly size: number;
  readonly method: string;
  readonly floor: string;
  readonly beside: Times;
  /** Median of the ratios of p50, of processes that ran next to each other. */
  readonly ratio: number;
  readonly p10: number;
  readonly p90: number;
}

export interface Report {
  readonly machine: Machine;
  readonly processes: number;
  readonly elapsed_ms: number;
  readonly rows: readonly UseRow[];
  readonly failures: readonly Failure[];
}

const countsOf = ({ bins, times }: Finding): Float64Array => unpacked(bins as number[], times as number[]);
const p50Of = (finding: Finding): number => quantileOf(countsOf(finding), 0.5);

function timesOf(findings: readonly Finding[]): Times {
  const sum = histogram();
  for (const finding of findings) addTo(sum, countsOf(finding));
  const each = (what: 'elapsed_ms' | 'cpu_ms'): number =>
    median(findings.map((finding) => ((finding[what] as number) * 1e6) / (finding['calls'] as number)));
  return {
    calls: totalOf(sum),
    p50_ns: quantileOf(sum, 0.5),
    p99_ns: quantileOf(sum, 0.99),
    p999_ns: quantileOf(sum, 0.999),
    each_ns: each('elapsed_ms'),
    cpu_ns: each('cpu_ms') || 0,
  };
}

/** What was found of a row: ours and the rival's of processes that ran next to each other. */
type Taken = readonly { readonly ours: Finding; readonly theirs: Finding }[];

export function rowOf({ name, size, method }: Row, taken: Taken): UseRow {
  const ratios = taken.map(({ ours, theirs }) => p50Of(ours) / p50Of(theirs));
  return {
    name,
    size,
    method,
    floor: RIVAL,
    ...timesOf(taken.map(({ ours }) => ours)),
    beside: timesOf(taken.map(({ theirs }) => theirs)),
    ratio: median(ratios),
    p10: quantile(ratios, 0.1),
    p90: quantile(ratios, 0.9),
  };
}

export async function runUse({ words, plan, budget_ms = BUDGET_MS, progress }: RunOptions): Promise<Report> {
  const start_ms = now_ms();
  const rows = selectRows(words);
  const subject = await prepareSubject();
  const taken = new Map<string, { ours: Finding; theirs: Finding }[]>(rows.map(({ name }) => [name, []]));
  const failures: Failure[] = [];
  const measure = async (row: string, repetition: number): Promise<Finding | undefined> => {
    const job: Job = { group: 'use', rows: [row], plan, repetition };
    const result = await runJob(job, subject);
    failures.push(...result.failures);
    return result.findings[row]?.[0];
  };
  try {
    for (let repetition = 0; repetition < plan.processes; repetition++) {
      for (const [index, { name }] of rows.entries()) {
        if (now_ms() - start_ms > budget_ms) break;
        progress?.(repetition * rows.length + index, plan.processes * rows.length, name);
        const isFirst = repetition % 2 === 0;
        const first = await measure(isFirst ? name : rivalOf(name), repetition);
        const second = await measure(isFirst ? rivalOf(name) : name, repetition);
        const [ours, theirs] = isFirst ? [first, second] : [second, first];
        if (ours !== undefined && theirs !== undefined) taken.get(name)!.push({ ours, theirs });
      }
    }
  } finally {
    subject.remove();
  }
  const named = new Set(failures.flatMap((failure) => failure.rows));
  for (const { name } of rows) {
    if (taken.get(name)!.length > 0 || named.has(name) || named.has(rivalOf(name))) continue;
    failures.push({ rows: [name], message: 'the time was over before its turn' });
  }
  return {
    machine: machineFacts(),
    processes: plan.processes,
    elapsed_ms: now_ms() - start_ms,
    rows: rows.flatMap((row) => (taken.get(row.name)!.length === 0 ? [] : [rowOf(row, taken.get(row.name)!)])),
    failures: mergeFailures(failures),
  };
}

/** The report for a terminal. */
export function reportText({ machine, rows, failures, elapsed_ms }: Report): string {
  const figures = ({ p50_ns, p99_ns, p999_ns, cpu_ns }: Times): string =>
    [p50_ns, p99_ns, p999_ns, cpu_ns].map((ns) => duration(ns || Number.NaN).padStart(11)).join('');
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.commit}, ${(elapsed_ms / 1e3).toFixed(0)} s`,
    `${'row'.padEnd(20)}${['p50', 'p99', 'p99.9', 'cpu a call'].map((text) => text.padStart(11)).join('')}`,
    ...rows.flatMap((row) => [
      `${row.name.padEnd(20)}${figures(row)}`,
      `${`  ${row.floor}`.padEnd(20)}${figures(row.beside)}`,
    ]),
  ];
  for (const failure of failures) lines.push('', `no figure: ${failure.rows.join(', ')}`, failure.message.trimEnd());
  return `${lines.join('\n')}\n`;
}
