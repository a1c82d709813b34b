/**
 * Runs the rows of `l3 bench rivals`: the same call made in other ways, each in a fresh process, and ours of the same
 * size beside it: the ratio is how many of our calls go into one of theirs. The packages are installed by npm in the
 * versions below.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Plan, RunOptions } from '../harness/job.ts';
import { type Machine, machineFacts } from '../harness/machine.ts';
import { mergeFailures } from '../harness/processes.ts';
import { installLibrary, installPackages, runProgram } from '../harness/project.ts';
import { median, type Pair, type PairSummary, summarizePairs } from '../harness/stats.ts';
import { duration } from '../pingpong/report.ts';
import { FILES } from './programs.ts';
import { OURS, type Row, selectRows } from './rows.ts';

/** `placements` are blocks of one process, `processes` pairs of processes. */
export const FULL: Plan = { processes: 3, placements: 8, pairs: 1, block_ms: 20 };
/** Its figures mean nothing. */
export const QUICK: Plan = { processes: 1, placements: 2, pairs: 1, block_ms: 4 };

const BUDGET_MS = 600_000;

const RIVALS = {
  synckit: '0.12.3',
  'make-synchronized': '0.8.0',
  'sync-message-port': '1.2.0',
  comlink: '4.4.2',
  piscina: '5.3.2',
  tinypool: '2.2.0',
  workerpool: '10.0.3',
  birpc: '4.2.0',
};

export interface ReportRow extends PairSummary {
  readonly name: string;
  readonly unit: string;
  readonly floor: string;
  readonly method: string;
}

export interface Report {
  readonly machine: Machine;
  readonly rivals: typeof RIVALS;
  readonly rows: readonly ReportRow[];
  readonly failures: readonly { readonly rows: readonly string[]; readonly message: string }[];
}

function makeProject(folder: string): void {
  installPackages(folder, RIVALS);
  installLibrary(folder);
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
}

/** Nanoseconds of a call in one process. */
const sample = (folder: string, program: string, size: number, plan: Plan): number =>
  median(JSON.parse(runProgram(folder, program, [String(size)], plan)) as number[]);

/** A process of each, one after the other. */
function pairOf(folder: string, { program, size }: Row, plan: Plan, isFirst: boolean): Pair {
  const order = isFirst ? [program, OURS] : [OURS, program];
  const [first, second] = order.map((name) => sample(folder, name, size, plan)) as [number, number];
  return isFirst ? { ns: first, floor_ns: second } : { ns: second, floor_ns: first };
}

export async function runRivals({ words, plan, budget_ms = BUDGET_MS, progress }: RunOptions): Promise<Report> {
  const start_ms = performance.now();
  const rows = selectRows(words);
  const folder = mkdtempSync(join(tmpdir(), 'l3-bench-rivals-'));
  const pairs = new Map<string, Pair[]>(rows.map(({ name }) => [name, []]));
  const failures = new Map<string, string>();
  try {
    makeProject(folder);
    for (let repetition = 0; repetition < plan.processes; repetition++) {
      for (const [index, row] of rows.entries()) {
        if (failures.has(row.name)) continue;
        if (performance.now() - start_ms > budget_ms) break;
        progress?.(repetition * rows.length + index, plan.processes * rows.length, row.name);
        try {
          pairs.get(row.name)!.push(pairOf(folder, row, plan, repetition % 2 === 0));
        } catch (error) {
          failures.set(row.name, (error as Error).message);
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  for (const { name } of rows) {
    if (pairs.get(name)!.length > 0 || failures.has(name)) continue;
    failures.set(name, 'the time was over before its turn');
  }
  return {
    machine: machineFacts(),
    rivals: RIVALS,
    rows: rows.flatMap(({ name, method }) => {
      const taken = pairs.get(name)!;
      if (taken.length === 0) return [];
      return [{ name, ...summarizePairs(taken), unit: 'ns per round trip', floor: OURS, method }];
    }),
    failures: mergeFailures([...failures].map(([name, message]) => ({ rows: [name], message }))),
  };
}

export function reportText({ machine, rows, failures }: Report): string {
  const lines = rows.map(({ name, ns, floor_ns, ratio, p10, p90 }) => {
    const figures = [duration(ns), duration(floor_ns), ratio.toFixed(2), p10.toFixed(2), p90.toFixed(2)];
    return `${name.padEnd(32)}${figures.map((text) => text.padStart(11)).join('')}`;
  });
  const head = `${'row'.padEnd(32)}${['theirs', 'ours', 'ratio', 'p10', 'p90'].map((text) => text.padStart(11)).join('')}`;
  const failed = failures.map(({ rows: names, message }) => `${names.join(', ')}: no figure: ${message}`);
  return `${[`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.commit}`, head, ...lines, ...failed].join('\n')}\n`;
}
