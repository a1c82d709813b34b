/**
 * The report: one JSON document, or a table for the eye. Both are made from the same rows; neither rounds the other.
 */
import type { Failure } from '../harness/job.ts';
import type { Machine } from '../harness/machine.ts';
import type { PairSummary } from '../harness/stats.ts';
import { importsLibrary } from './rows.ts';
import type { Row, Target } from './rows.ts';

export interface ReportRow extends Omit<PairSummary, 'p99_ns'> {
  readonly name: string;
  readonly unit: string;
  readonly floor: string;
  readonly method: string;
  readonly target?: Target;
  /** Of rows whose target it is. */
  readonly p99_ns?: number;
}

export interface Report {
  readonly machine: Machine;
  /** The harness's own cost, in nanoseconds a round; not stable means: measure again on a quieter machine. */
  readonly harness: {
    readonly loop_ns: number;
    readonly call_ns: number;
    readonly spread: number;
    readonly stable: boolean;
    readonly processes: number;
    readonly placements: number;
    /** Processes that were not started, since the run's time was over. */
    readonly left_out: number;
    /** Whether the low-level rows ran bundled, as the package is published, or from single source files (slower). */
    readonly bundled: boolean;
    /** What the public rows imported: the built package, or the sources when the build is not current (slower). */
    readonly library: 'dist' | 'sources';
    readonly elapsed_ms: number;
  };
  readonly rows: readonly ReportRow[];
  /** Rows without a figure, or without some of their samples, and why. */
  readonly failures: readonly Failure[];
}

export function reportRow(row: Row, summary: PairSummary): ReportRow {
  const { floor_p10_ns, floor_p90_ns, p99_ns, ...figures } = summary;
  const { target } = row;
  return {
    name: row.name,
    ...figures,
    unit: row.unit,
    floor: row.floor,
    method: row.method,
    floor_p10_ns,
    floor_p90_ns,
    ...(target === undefined ? {} : { target }),
    ...(target !== undefined && 'p99_ns_max' in target ? { p99_ns } : {}),
  };
}

export function targetMet(row: Pick<ReportRow, 'target' | 'ratio' | 'ns' | 'p99_ns'>): boolean | undefined {
  if (row.target === undefined) return undefined;
  if ('p99_ns_max' in row.target) return (row.p99_ns ?? Number.POSITIVE_INFINITY) <= row.target.p99_ns_max;
  return 'ratio_max' in row.target ? row.ratio <= row.target.ratio_max : row.ns <= row.target.ns_max;
}

/** Above this p90 / p10 of its floor a row mixes two machines, and its ratio is a mixture too. */
const FLOOR_SPREAD_MAX = 2;

/** Nanoseconds in the unit that leaves one to three digits before the point. */
export function duration(ns: number): string {
  if (!Number.isFinite(ns)) return '-';
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(2)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(2)} ms`;
  if (ns >= 1e3) return `${(ns / 1e3).toFixed(2)} us`;
  return `${ns.toFixed(ns < 100 ? 1 : 0)} ns`;
}

/** A figure in the unit of its row. Nearly all are times. */
function figure(unit: string, value: number): string {
  return unit.startsWith('bytes') && Number.isFinite(value) ? `${Math.round(value / 1024)} KiB` : duration(value);
}

function ratioText(ratio: number): string {
  if (ratio < 0.1) return ratio.toFixed(4);
  return ratio.toFixed(ratio < 10 ? 2 : 0);
}

function limitText(target: Target, p99_ns: number | undefined): string {
  if ('p99_ns_max' in target) return `p99 ${duration(p99_ns ?? Number.NaN)}, ${duration(target.p99_ns_max)}`;
  return 'ratio_max' in target ? `${target.ratio_max} x` : duration(target.ns_max);
}

function targetText(row: ReportRow): string {
  if (row.target === undefined) return '';
  const limit = limitText(row.target, row.p99_ns);
  return `${targetMet(row) === true ? 'met' : 'MISSED'} (${limit})`;
}

const HEAD = ['row', 'round trip', 'floor', 'ratio', 'p10', 'p90', 'samples', 'target', 'beside'] as const;

/** The columns that hold figures are set to the right. */
const RIGHT = new Set(['round trip', 'floor', 'ratio', 'p10', 'p90', 'samples']);

function tableLines(rows: readonly ReportRow[]): string[] {
  const cells = rows.map((row) => [
    row.name,
    figure(row.unit, row.ns),
    figure(row.unit, row.floor_ns),
    ratioText(row.ratio),
    ratioText(row.p10),
    ratioText(row.p90),
    String(row.samples),
    targetText(row),
    row.floor,
  ]);
  const table = [[...HEAD], ...cells];
  const widths = HEAD.map((_, column) => Math.max(...table.map((line) => (line[column] as string).length)));
  return table.map((line) =>
    line
      .map((cell, column) => {
        const width = widths[column] as number;
        return RIGHT.has(HEAD[column] as string) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** The report for a terminal. */
export function reportText(report: Report): string {
  const { machine, harness } = report;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node} (V8 ${machine.v8}), ${machine.commit}`,
    `medians over ${harness.processes} processes and ${harness.placements} placements in each, ` +
      `${(harness.elapsed_ms / 1e3).toFixed(0)} s; empty loop ${harness.loop_ns.toFixed(2)} ns, ` +
      `empty call ${harness.call_ns.toFixed(2)} ns`,
    '',
    ...tableLines(report.rows),
  ];
  if (!harness.stable) {
    lines.push('', `UNSTABLE: the empty loop or call varied ${harness.spread.toFixed(2)} times within a process.`);
  }
  if (harness.left_out > 0) {
    lines.push('', `CUT SHORT: ${harness.left_out} processes were not started, the machine was too slow for all.`);
  }
  if (!harness.bundled) {
    lines.push('', 'NOT AS PUBLISHED: without the bundler the sources were measured one by one, and are slower so.');
  }
  if (harness.library === 'sources' && report.rows.some((row) => importsLibrary(row.name))) {
    lines.push(
      '',
      'NOT AS PUBLISHED: dist/ is not of these sources, which were imported instead. Build: npm run build',
    );
  }
  const moved = report.rows.filter((row) => row.floor_p90_ns > row.floor_p10_ns * FLOOR_SPREAD_MAX);
  if (moved.length > 0) {
    lines.push('', 'The floor itself moved, as the two agents stood on cores nearer to or further from each other:');
    for (const row of moved) {
      lines.push(`  ${row.name}: p10 ${figure(row.unit, row.floor_p10_ns)}, p90 ${figure(row.unit, row.floor_p90_ns)}`);
    }
  }
  for (const failure of report.failures)
    lines.push('', `no figure: ${failure.rows.join(', ')}`, failure.message.trimEnd());
  return `${lines.join('\n')}\n`;
}
