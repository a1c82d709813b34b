/**
 * Runs the rows of `l3 bench compat`: in two projects with the same programs, one with the originals and one with the
 * drop-ins, by turns, each time in a fresh process. A pair is one process of each, one after the other.
 *
 * The originals are installed by npm beside the measured programs, in the versions below.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plan, RunOptions } from '../harness/job.ts';
import { type Machine, machineFacts } from '../harness/machine.ts';
import { mergeFailures } from '../harness/processes.ts';
import { installLibrary, installPackages, runProgram } from '../harness/project.ts';
import { median, type Pair, type PairSummary, summarizePairs } from '../harness/stats.ts';
import { duration } from '../pingpong/report.ts';
import { type Original, ORIGINALS } from './originals.ts';
import { FILES } from './programs.ts';
import { type Row, selectRows } from './rows.ts';

/** `placements` are blocks of one process, `processes` pairs of processes. */
export const FULL: Plan = { processes: 7, placements: 16, pairs: 1, block_ms: 20 };
/** Its figures mean nothing. */
export const QUICK: Plan = { processes: 1, placements: 2, pairs: 1, block_ms: 4 };

const BUDGET_MS = 600_000;

export interface ReportRow extends PairSummary {
  readonly name: string;
  readonly unit: string;
  /** The original, beside which `floor_ns` stands. */
  readonly floor: string;
  readonly method: string;
  readonly target: { readonly ratio_max: number };
}

export interface Report {
  readonly machine: Machine;
  readonly originals: typeof ORIGINALS;
  readonly rows: readonly ReportRow[];
  readonly failures: readonly { readonly rows: readonly string[]; readonly message: string }[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));

function makeProject(folder: string): string {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  return folder;
}

function installDropIns(folder: string): void {
  installLibrary(folder);
  for (const name of readdirSync(join(root, 'packages'))) {
    cpSync(join(root, 'packages', name), join(folder, 'node_modules', name), { recursive: true });
  }
}

/** The samples of one process: nanoseconds of a call, or of the whole process. */
function sample(folder: string, row: Row, plan: Plan): number[] {
  const began_ms = performance.now();
  const printed = runProgram(folder, row.program, row.args, plan);
  const took_ns = (performance.now() - began_ms) * 1e6;
  return row.args[0] === 'process' ? [took_ns] : (JSON.parse(printed) as number[]);
}

/** Each process of the one beside that of the other which ran next to it. */
function pairOf(ours: string, original: string, row: Row, plan: Plan, isFirst: boolean): Pair {
  const order = isFirst ? [ours, original] : [original, ours];
  const [first, second] = order.map((folder) => median(sample(folder, row, plan))) as [number, number];
  return isFirst ? { ns: first, floor_ns: second } : { ns: second, floor_ns: first };
}

export async function runCompat({ words, plan, budget_ms = BUDGET_MS, progress }: RunOptions): Promise<Report> {
  const start_ms = performance.now();
  const rows = selectRows(words);
  const place = mkdtempSync(join(tmpdir(), 'l3-bench-compat-'));
  const pairs = new Map<string, Pair[]>(rows.map((row) => [row.name, []]));
  const failures = new Map<string, string>();
  try {
    const [ours, original] = [makeProject(join(place, 'ours')), makeProject(join(place, 'original'))];
    installDropIns(ours);
    installPackages(original, ORIGINALS);
    for (let repetition = 0; repetition < plan.processes; repetition++) {
      for (const [index, row] of rows.entries()) {
        if (failures.has(row.name)) continue;
        if (performance.now() - start_ms > budget_ms) break;
        progress?.(
          repetition * rows.length + index,
          plan.processes * rows.length,
          `${row.name}: pair ${repetition + 1}`,
        );
        try {
          pairs.get(row.name)!.push(pairOf(ours, original, row, plan, repetition % 2 === 0));
        } catch (error) {
          failures.set(row.name, (error as Error).message);
        }
      }
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
  for (const { name } of rows) {
    if (pairs.get(name)!.length > 0 || failures.has(name)) continue;
    failures.set(name, 'the time was over before its turn');
  }
  return {
    machine: machineFacts(),
    originals: ORIGINALS,
    rows: rows.flatMap((row) => {
      const taken = pairs.get(row.name)!;
      const { name, unit, method, program, target_max } = row;
      const original = row.original ?? (program as Original);
      const floor = `${original} ${ORIGINALS[original]}`;
      return taken.length === 0
        ? []
        : [{ name, ...summarizePairs(taken), unit, floor, method, target: { ratio_max: target_max } }];
    }),
    failures: mergeFailures([...failures].map(([name, message]) => ({ rows: [name], message }))),
  };
}

export function reportText({ machine, rows, failures }: Report): string {
  const lines = rows.map((row) => {
    const isMet = row.ratio <= row.target.ratio_max ? 'met' : 'MISSED';
    const figures = [
      duration(row.ns),
      duration(row.floor_ns),
      row.ratio.toFixed(3),
      row.p10.toFixed(3),
      row.p90.toFixed(3),
    ];
    return `${row.name.padEnd(30)}${figures.map((text) => text.padStart(11)).join('')}  ${isMet} (${row.target.ratio_max})`;
  });
  const head = `${'row'.padEnd(30)}${['drop-in', 'original', 'ratio', 'p10', 'p90'].map((text) => text.padStart(11)).join('')}`;
  const failed = failures.map(({ rows: names, message }) => `${names.join(', ')}: no figure: ${message}`);
  return `${[`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.commit}`, head, ...lines, ...failed].join('\n')}\n`;
}
