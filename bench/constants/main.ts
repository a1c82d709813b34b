/**
 * What the constants of src/layout/params.ts were chosen by: order of service, length of a spin, message words, and the
 * sizes of the messages of a real program. Each kernel is measured in processes of its own, and the kernels take turns.
 */
import { prepareSubject } from '../harness/bundle.ts';
import type { Subject } from '../harness/bundle.ts';
import type { Edit } from '../harness/edits.ts';
import { addTo, histogram, quantileOf, unpacked } from '../harness/histogram.ts';
import { now_ms } from '../harness/interleave.ts';
import { messageOf } from '../harness/job.ts';
import type { Failure, Finding, JobResult, Plan, RunOptions } from '../harness/job.ts';
import { machineFacts } from '../harness/machine.ts';
import type { Machine } from '../harness/machine.ts';
import { mergeFailures, runJob } from '../harness/processes.ts';
import { median } from '../harness/stats.ts';
import type { Pair } from '../harness/stats.ts';
import { duration } from '../pingpong/report.ts';
import { CROWDS, MESSAGE_ROWS, SPIN_ROWS } from './rows.ts';
import { countSizes, SIZES } from './sizes.ts';
import { spinning, SPINS, WITHOUT_C_BEFORE_A } from './variants.ts';

export const FULL: Plan = { processes: 5, placements: 3, pairs: 2, block_ms: 15 };
export const QUICK: Plan = { processes: 1, placements: 1, pairs: 1, block_ms: 4 };

const BUDGET_MS = 240_000;
/** Below this many processes a run is one for tests: its corpus is a small one. */
const CORPUS = 'node_modules';
const CORPUS_SMALL = 'docs';

/** One kernel and what is measured of it. */
interface Kernel {
  readonly name: string;
  readonly method: string;
  readonly edits: readonly Edit[];
  readonly rows: readonly string[];
}

const SHIPPED_SERVICE = 'in order of arrival';

export const KERNELS: readonly Kernel[] = [
  {
    name: 'service.shipped',
    method: SHIPPED_SERVICE,
    edits: [],
    rows: Object.keys(CROWDS),
  },
  {
    name: 'service.caller-first',
    method: 'the answered caller first',
    edits: WITHOUT_C_BEFORE_A,
    rows: Object.keys(CROWDS),
  },
  ...SPINS.map((loads) => ({
    name: `spin.${loads}`,
    method: `${loads} loads before a thread parks`,
    edits: spinning(loads),
    rows: SPIN_ROWS,
  })),
  { name: 'messages', method: 'bytes in words or in a string', edits: [], rows: MESSAGE_ROWS },
];

/** What was found of a row with a kernel: nanoseconds, ratios and counts by name. */
export interface Cell {
  readonly row: string;
  readonly values: Readonly<Record<string, number>>;
}

export interface ConstantRow {
  readonly name: string;
  readonly method: string;
  readonly cells: readonly Cell[];
}

export interface Report {
  readonly machine: Machine;
  readonly processes: number;
  readonly elapsed_ms: number;
  readonly rows: readonly ConstantRow[];
  readonly failures: readonly Failure[];
}

const SIZES_ROW = 'sizes';

/** How many times as much the one who got most got as the one who got least. */
const unevenness = (served: readonly number[]): number => Math.max(...served) / Math.max(1, Math.min(...served));

function cellOfFindings(row: string, findings: readonly Finding[]): Cell {
  const sum = histogram();
  for (const { bins, times } of findings) addTo(sum, unpacked(bins as number[], times as number[]));
  const middle = (what: string): number => median(findings.map((finding) => finding[what] as number));
  const served = findings.flatMap((finding) =>
    finding['served'] === undefined ? [] : [finding['served'] as number[]],
  );
  return {
    row,
    values: {
      p50_ns: quantileOf(sum, 0.5),
      p99_ns: quantileOf(sum, 0.99),
      each_ns: middle('each_ns'),
      cpu_ns: middle('cpu_ns'),
      ...(served.length === 0 ? {} : { unevenness: median(served.map(unevenness)), greedy: middle('greedy') }),
    },
  };
}

const cellOfPairs = (row: string, pairs: readonly Pair[]): Cell => ({
  row,
  values: {
    ns: median(pairs.map(({ ns }) => ns)),
    floor_ns: median(pairs.map(({ floor_ns }) => floor_ns)),
    ratio: median(pairs.map(({ ns, floor_ns }) => ns / floor_ns)),
  },
});

function cellsOf({ rows }: Kernel, results: readonly JobResult[]): Cell[] {
  return rows.flatMap((row) => {
    const pairs = results.flatMap((result) => result.pairs[row] ?? []);
    const findings = results.flatMap((result) => result.findings[row] ?? []);
    if (pairs.length > 0) return [cellOfPairs(row, pairs)];
    return findings.length > 0 ? [cellOfFindings(row, findings)] : [];
  });
}

function sizesRow(plan: Plan): ConstantRow {
  const { counts, documents, calls } = countSizes(plan.processes > 1 ? CORPUS : CORPUS_SMALL);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const cells = counts.map((count, bin) => ({
    row: String(SIZES[bin] ?? 'more'),
    values: { messages: count, share: count / Math.max(1, all) },
  }));
  return { name: SIZES_ROW, method: `${documents} documents, ${calls} protected calls, ${all} messages`, cells };
}

/** The kernels that the words ask for, and whether the sizes are wanted. Throws for a word that names nothing. */
function select(words: readonly string[]): { kernels: readonly Kernel[]; withSizes: boolean } {
  const names = [...KERNELS.map(({ name }) => name), SIZES_ROW];
  const unknown = words.find((word) => !names.some((name) => name.startsWith(word)));
  if (unknown !== undefined) throw new Error(`no row '${unknown}'; there are: ${names.join(', ')}`);
  const isWanted = (name: string): boolean => words.length === 0 || words.some((word) => name.startsWith(word));
  return { kernels: KERNELS.filter(({ name }) => isWanted(name)), withSizes: isWanted(SIZES_ROW) };
}

export async function runConstants({ words, plan, budget_ms = BUDGET_MS, progress }: RunOptions): Promise<Report> {
  const start_ms = now_ms();
  const { kernels, withSizes } = select(words);
  const results = new Map<Kernel, JobResult[]>(kernels.map((kernel) => [kernel, []]));
  const subjects = new Map<Kernel, Subject>();
  const failures: Failure[] = [];
  const rows: ConstantRow[] = [];
  try {
    if (withSizes) {
      try {
        progress?.(0, plan.processes * kernels.length, SIZES_ROW);
        rows.push(sizesRow(plan));
      } catch (error) {
        failures.push({ rows: [SIZES_ROW], message: messageOf(error) });
      }
    }
    for (let repetition = 0; repetition < plan.processes; repetition++) {
      for (const [index, kernel] of kernels.entries()) {
        if (now_ms() - start_ms > budget_ms) break;
        progress?.(repetition * kernels.length + index, plan.processes * kernels.length, kernel.name);
        const subject = subjects.get(kernel) ?? (await prepareSubject(kernel.edits));
        subjects.set(kernel, subject);
        if (!subject.bundled) throw new Error('variants need the bundler, which wants a newer Node');
        const result = await runJob({ group: 'constants', rows: kernel.rows, plan, repetition }, subject);
        failures.push(...result.failures.map(({ message }) => ({ rows: [kernel.name], message })));
        results.get(kernel)!.push(result);
      }
    }
  } finally {
    for (const subject of subjects.values()) subject.remove();
  }
  for (const kernel of kernels) {
    const cells = cellsOf(kernel, results.get(kernel)!);
    if (cells.length > 0) rows.push({ name: kernel.name, method: kernel.method, cells });
    const missing = kernel.rows.filter((row) => !cells.some((cell) => cell.row === row));
    if (missing.length === 0) continue;
    const why = results.get(kernel)!.length === 0 ? 'the time was over before its turn' : `no ${missing.join(', ')}`;
    failures.push({ rows: [kernel.name], message: why });
  }
  const elapsed_ms = now_ms() - start_ms;
  return { machine: machineFacts(), processes: plan.processes, elapsed_ms, rows, failures: mergeFailures(failures) };
}

function valueText(name: string, value: number): string {
  if (name.endsWith('_ns') || name === 'ns') return duration(value);
  return name === 'share' ? `${(value * 100).toFixed(1)} %` : value.toFixed(Number.isInteger(value) ? 0 : 2);
}

/** The report for a terminal. */
export function reportText({ machine, rows, failures, elapsed_ms }: Report): string {
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.commit}, ${(elapsed_ms / 1e3).toFixed(0)} s`,
  ];
  for (const { name, method, cells } of rows) {
    lines.push('', `${name}: ${method}`);
    for (const { row, values } of cells) {
      const figures = Object.entries(values).map(
        ([what, value]) => `${what.replace(/_ns$/, '')} ${valueText(what, value)}`,
      );
      lines.push(`  ${row.padEnd(18)} ${figures.join(', ')}`);
    }
  }
  for (const failure of failures) lines.push('', `no figure: ${failure.rows.join(', ')}`, failure.message.trimEnd());
  return `${lines.join('\n')}\n`;
}
