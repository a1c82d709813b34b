/**
 * `npm run bench`: runs the suites, keeps their reports in bench/results/, and writes docs/benchmarks.md, its plots and
 * the figures of README.md from them. `-- --quick` takes few samples and writes into a temporary folder only: to see
 * that all of it runs. `-- --pages` measures nothing and writes the pages from the results that are there.
 *
 * Each suite has a time, after which it starts nothing more: 20 minutes for all of them, 3 with `--quick`. What has no
 * figure then is named by its report, and the exit code is 1.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PARTS } from './parts.ts';
import type { Part } from './parts.ts';
import { pageHtml, writeFigures } from './plots.ts';
import { readResults } from './results.ts';
import { benchmarksPage } from './tables.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** A suite that has not ended so long after its time is ended: it measures something that hangs. */
const OVERTIME_S = 40;

const words = process.argv.slice(2);
const unknown = words.find((word) => !['--quick', '--pages'].includes(word));
if (unknown !== undefined) {
  process.stderr.write(`Usage: npm run bench -- [--quick | --pages]\nnot an option: ${unknown}\n`);
  process.exit(2);
}
const isQuick = words.includes('--quick');
const folder = isQuick ? mkdtempSync(join(tmpdir(), 'l3-bench-')) : join(root, 'bench/results');

/** How many rows of the report have no figure; undefined when there is no report. */
function withoutFigure(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const { rows, failures } = JSON.parse(readFileSync(path, 'utf8')) as {
    rows: readonly { name: string }[];
    failures: readonly { rows: readonly string[] }[];
  };
  const measured = new Set(rows.map(({ name }) => name));
  return failures.flatMap((failure) => failure.rows).filter((name) => !measured.has(name)).length;
}

/** Whether the suite has left a report with all figures. */
function measure({ suite, rows, quickRows, seconds, quick_s }: Part): boolean {
  const limit_s = isQuick ? quick_s : seconds;
  process.stderr.write(`${suite}, at most ${limit_s} s\n`);
  const wanted = isQuick ? quickRows : rows;
  const args = [join(root, 'src/cli/main.ts'), 'bench', suite, ...wanted, '--json', '--seconds', String(limit_s)];
  const began_ms = performance.now();
  const { stdout, status } = spawnSync(process.execPath, isQuick ? [...args, '--quick'] : args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: (limit_s + OVERTIME_S) * 1000,
    killSignal: 'SIGKILL',
  });
  const path = join(folder, `${suite}.json`);
  const isReport = stdout.startsWith('{') && stdout.endsWith('}\n');
  if (isReport) writeFileSync(path, stdout);
  const missing = isReport ? withoutFigure(path) : undefined;
  const taken = `${((performance.now() - began_ms) / 1e3).toFixed(0)} s`;
  process.stderr.write(
    missing === undefined ? `  no report, ${taken}\n` : `  ${missing} rows without a figure, ${taken}\n`,
  );
  return status === 0 && missing === 0;
}

mkdirSync(folder, { recursive: true });
const failed = words.includes('--pages') ? [] : PARTS.filter((part) => !measure(part)).map(({ suite }) => suite);
const results = readResults(folder);
const paths = isQuick ? folder : join(root, 'docs');
writeFileSync(join(paths, 'benchmarks.md'), benchmarksPage(results));
const figures = writeFigures(results, join(paths, 'figures'));
if (isQuick) writeFileSync(join(folder, 'benchmarks.html'), pageHtml(results));
else spawnSync(process.execPath, [join(root, 'scripts/readme-figures.mjs')], { stdio: 'inherit' });
process.stdout.write(`${join(paths, 'benchmarks.md')}\n${figures.length} plots in ${join(paths, 'figures')}\n`);
for (const suite of failed) process.stderr.write(`${suite}: some rows have no figure, see its report in ${folder}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
