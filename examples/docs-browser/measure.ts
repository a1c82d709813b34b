/**
 * The table: the same indexing work behind each kind of walls.
 *
 * Each row is measured in a process of its own by index-corpus.ts. No walls and l3kernel index everything, l3kernel on
 * a crowded machine what 12 s allow; the rivals, which would take a minute, get a sample of a stated length, and their
 * seconds for everything are that sample's time per word times the number of words. Invariant: every document that a
 * row completed has the same content digest as without walls, or the row says that it has not.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CorpusResult } from './index-corpus.ts';
import type { ParserName, WallName } from './walls/walls.ts';

/** How long a row may take; one that needs longer is estimated from what it did by then. */
const seconds_max: Partial<Record<WallName, number>> = { l3kernel: 12, comlink: 2, synckit: 2 };

export interface Row {
  name: string;
  /** Of the whole corpus; estimated when `sample` is given; 0 when the sample came to no word. */
  seconds: number;
  calls_per_second: number;
  us_per_call: number;
  /** What was really run, where that was less than everything. */
  sample?: { calls: number; seconds: number; documents: number };
  /** Documents whose content differs from the one made without walls. */
  different: number;
  error?: string;
}

const titles: Record<WallName, string> = {
  direct: 'no walls',
  l3kernel: 'l3kernel',
  comlink: 'postMessage (Comlink)',
  synckit: 'synckit',
};

/** Measures all rows on the files below `folder`, one after the other. */
export async function measureAll(
  folder: string,
  parser: ParserName,
  onStart: (title: string) => void = () => {},
): Promise<Row[]> {
  const rows: Row[] = [];
  let direct: CorpusResult | undefined;
  for (const name of ['direct', 'l3kernel', 'comlink', 'synckit'] as const) {
    onStart(titles[name]);
    try {
      const result = await measure(folder, name, parser);
      direct ??= result;
      rows.push(rowOf(result, direct));
    } catch (error) {
      const message = messageOf(error);
      rows.push({ name: titles[name], seconds: 0, calls_per_second: 0, us_per_call: 0, different: 0, error: message });
    }
  }
  return rows;
}

/** The sentence that matters in what a process left behind when it failed. */
function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n').find((line) => /^\w*Error\b/.test(line)) ?? text.split('\n')[0] ?? '';
}

async function measure(folder: string, name: WallName, parser: ParserName): Promise<CorpusResult> {
  const program = fileURLToPath(new URL('./index-corpus.ts', import.meta.url));
  const limit = seconds_max[name];
  const sample = limit === undefined ? [] : [String(limit)];
  // A measurement that is broken off cannot clear up behind itself, so that its temporary files are put where we do.
  const scratch = mkdtempSync(join(tmpdir(), 'l3kernel-docs-'));
  const clear = (): void => rmSync(scratch, { recursive: true, force: true });
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [...process.execArgv, program, `--parser=${parser}`, folder, name, ...sample],
      {
        ...{ maxBuffer: 64 * 2 ** 20, timeout: 120_000, killSignal: 'SIGKILL', encoding: 'utf8' },
        env: { ...process.env, TMPDIR: scratch },
      },
      (error, stdout) => {
        process.off('exit', end);
        clear();
        if (error) reject(error);
        else resolve(stdout);
      },
    );
    // Whoever ends this process does not want to wait for a measurement.
    const end = (): void => {
      child.kill('SIGKILL');
      clear();
    };
    process.once('exit', end);
  });
  return JSON.parse(output) as CorpusResult;
}

/** How many samples the whole is; 0 for a sample that came to no word. */
const timesMore = (whole: number, sample: number): number => (sample === 0 ? 0 : whole / sample);

/** Exported for the test. */
export function rowOf(result: CorpusResult, direct: CorpusResult): Row {
  const perCall = result.seconds / result.calls;
  const row: Row = {
    name: titles[result.walls],
    seconds: result.sample
      ? result.seconds * timesMore(direct.calls_by_part.stem, result.calls_by_part.stem)
      : result.seconds,
    calls_per_second: 1 / perCall,
    us_per_call: perCall * 1e6,
    different: Object.entries(result.digests).filter(([path, digest]) => direct.digests[path] !== digest).length,
  };
  if (result.sample) row.sample = { calls: result.calls, seconds: result.seconds, documents: result.documents };
  return row;
}

export const tableColumns = ['', 'seconds', 'calls/s', 'us/call', 'over no walls'];

/** The cells of the table, for a terminal and for a page alike. */
export function tableCells(rows: readonly Row[]): string[][] {
  const base = rows[0]?.us_per_call ?? 0;
  return rows.map((row, index) => {
    if (row.error !== undefined) return [row.name, 'failed', '', '', ''];
    return [
      row.name,
      row.seconds === 0 ? '– *' : row.seconds.toFixed(row.seconds < 10 ? 2 : 0) + (row.sample ? ' *' : ''),
      Math.round(row.calls_per_second).toLocaleString('en'),
      row.us_per_call.toFixed(1),
      index === 0 ? '' : (row.us_per_call - base).toFixed(1),
    ];
  });
}

/** What has to be said about the table, a sentence each. */
export function tableNotes(rows: readonly Row[]): string[] {
  const notes: string[] = [];
  for (const row of rows) {
    if (row.error !== undefined) notes.push(`${row.name} could not be measured: ${row.error}`);
    if (row.different)
      notes.push(`${row.name}: the content of ${row.different} documents DIFFERS from the one without walls`);
    if (row.sample) {
      const { calls, seconds, documents } = row.sample;
      const sample = `${calls.toLocaleString('en')} calls, ${documents} documents, ${seconds.toFixed(1)} s`;
      notes.push(`* ${row.name}: estimated from a sample of ${sample}`);
    }
  }
  return notes;
}

export function formatTable(columns: readonly string[], cells: readonly string[][]): string {
  const widths = columns.map((title, index) => Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(columns), ...cells.map(line)].map((text) => `  ${text}\n`).join('');
}
