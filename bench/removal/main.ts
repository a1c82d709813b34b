/**
 * Measures what each technique and each check is worth: the kernel without it, beside the kernel with it. Processes of
 * the two take turns; each cell is taken in floors of its own process, and a variant's figure is how many times more
 * floors a call takes than with the kernel that ran just before and just after it. All variants are taken once, then
 * all of them again, so that a run which is cut short has figures of each.
 */
import { prepareSubject } from '../harness/bundle.ts';
import type { Subject } from '../harness/bundle.ts';
import { now_ms } from '../harness/interleave.ts';
import type { Failure, Job, JobResult, Plan, RunOptions } from '../harness/job.ts';
import { machineFacts } from '../harness/machine.ts';
import type { Machine } from '../harness/machine.ts';
import { mergeFailures, runJob } from '../harness/processes.ts';
import { median, quantile } from '../harness/stats.ts';
import type { Pair } from '../harness/stats.ts';
import { CELLS } from './cells.ts';
import { VARIANTS } from './variants.ts';
import type { Variant } from './variants.ts';

export const FULL: Plan = { processes: 5, placements: 3, pairs: 2, block_ms: 10 };
export const QUICK: Plan = { processes: 1, placements: 1, pairs: 1, block_ms: 4 };

/** No pair of processes is started after this. */
const BUDGET_MS = 600_000;

export interface Cell {
  readonly name: string;
  /** Nanoseconds a round trip, without the thing and with it. */
  readonly ns: number;
  readonly shipped_ns: number;
  /** How many times as long a call takes without the thing. */
  readonly ratio: number;
  readonly p10: number;
  readonly p90: number;
}

export interface Removal {
  readonly name: string;
  readonly kind: Variant['kind'];
  readonly paper: string;
  readonly instead: string;
  readonly breaks?: string;
  readonly cells: readonly Cell[];
}

export interface Report {
  readonly machine: Machine;
  readonly processes: number;
  readonly elapsed_ms: number;
  readonly rows: readonly Removal[];
  readonly failures: readonly Failure[];
}

const cellsOf = (variant: Variant): string[] =>
  CELLS.map(({ name }) => name).filter((name) => variant.rows.some((beginning) => name.startsWith(beginning)));

/** The two kernels' calls in floors, cell by cell, one entry a process. */
interface Taken {
  readonly without: Map<string, Pair[]>;
  readonly shipped: Map<string, Pair[]>;
  readonly ratios: Map<string, number[]>;
}

const inFloors = (pairs: readonly Pair[]): number => median(pairs.map(({ ns, floor_ns }) => ns / floor_ns));

function keep(taken: Taken, without: JobResult, shipped: JobResult): void {
  for (const [name, pairs] of Object.entries(without.pairs)) {
    const beside = shipped.pairs[name];
    if (beside === undefined || pairs.length === 0 || beside.length === 0) continue;
    taken.without.set(name, [...(taken.without.get(name) ?? []), ...pairs]);
    taken.shipped.set(name, [...(taken.shipped.get(name) ?? []), ...beside]);
    taken.ratios.set(name, [...(taken.ratios.get(name) ?? []), inFloors(pairs) / inFloors(beside)]);
  }
}

const timeOf = (pairs: readonly Pair[]): number => median(pairs.map(({ ns }) => ns));

function removalOf(variant: Variant, taken: Taken): Removal {
  const { name, kind, paper, instead, breaks } = variant;
  const cells = [...taken.ratios].map(([cell, ratios]) => ({
    name: cell,
    ns: timeOf(taken.without.get(cell)!),
    shipped_ns: timeOf(taken.shipped.get(cell)!),
    ratio: median(ratios),
    p10: quantile(ratios, 0.1),
    p90: quantile(ratios, 0.9),
  }));
  return { name, kind, paper, instead, ...(breaks === undefined ? {} : { breaks }), cells };
}

export async function runRemoval({ words, plan, budget_ms = BUDGET_MS, progress }: RunOptions): Promise<Report> {
  const start_ms = now_ms();
  const wanted = VARIANTS.filter(({ name }) => words.length === 0 || words.some((word) => name.startsWith(word)));
  if (wanted.length === 0) {
    throw new Error(`no variant '${words.join(' ')}'; there are ${VARIANTS.map(({ name }) => `'${name}'`).join(', ')}`);
  }
  const failures: Failure[] = [];
  const taken = new Map<Variant, Taken>(
    wanted.map((variant) => [variant, { without: new Map(), shipped: new Map(), ratios: new Map() }]),
  );
  const subjects = new Map<Variant | undefined, Subject>();
  const prepare = async (variant?: Variant): Promise<Subject> => {
    const subject = subjects.get(variant) ?? (await prepareSubject(variant?.edits));
    subjects.set(variant, subject);
    if (!subject.bundled) throw new Error('variants need the bundler, which wants a newer Node');
    return subject;
  };
  const run = async (subject: Subject, names: readonly string[], repetition: number): Promise<JobResult> => {
    const job: Job = { group: 'removal', rows: names, plan, repetition };
    const result = await runJob(job, subject);
    failures.push(...result.failures);
    return result;
  };
  try {
    const shipped = await prepare();
    for (let repetition = 0; repetition < plan.processes; repetition++) {
      for (const [index, variant] of wanted.entries()) {
        if (now_ms() - start_ms > budget_ms) break;
        progress?.(repetition * wanted.length + index, plan.processes * wanted.length, variant.name);
        const names = cellsOf(variant);
        const without = await prepare(variant);
        const first = await run(repetition % 2 === 0 ? without : shipped, names, repetition);
        const second = await run(repetition % 2 === 0 ? shipped : without, names, repetition);
        if (repetition % 2 === 0) keep(taken.get(variant)!, first, second);
        else keep(taken.get(variant)!, second, first);
      }
    }
  } finally {
    for (const subject of subjects.values()) subject.remove();
  }
  const rows = wanted.flatMap((variant) => {
    const found = taken.get(variant)!;
    return found.ratios.size === 0 ? [] : [removalOf(variant, found)];
  });
  const missing = wanted.filter((variant) => taken.get(variant)!.ratios.size === 0).map(({ name }) => name);
  if (missing.length > 0)
    failures.push({ rows: missing, message: 'no figure, or the time was over before their turn' });
  const elapsed_ms = now_ms() - start_ms;
  return { machine: machineFacts(), processes: plan.processes, elapsed_ms, rows, failures: mergeFailures(failures) };
}

const percent = (ratio: number): string => `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(0)} %`;

/** The report for a terminal. */
export function reportText({ machine, rows, failures, elapsed_ms }: Report): string {
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.commit}, ${(elapsed_ms / 1e3).toFixed(0)} s`,
  ];
  for (const { name, kind, instead, cells } of rows) {
    lines.push('', `without ${kind} '${name}': ${instead}`);
    for (const cell of cells) {
      const spread = `${percent(cell.p10)} to ${percent(cell.p90)}`;
      lines.push(
        `  ${cell.name.padEnd(14)} ${percent(cell.ratio).padStart(8)}  (${spread}; ` +
          `${cell.ns.toFixed(0)} beside ${cell.shipped_ns.toFixed(0)} ns)`,
      );
    }
  }
  for (const failure of failures) lines.push('', `no figure: ${failure.rows.join(', ')}`, failure.message.trimEnd());
  return `${lines.join('\n')}\n`;
}
