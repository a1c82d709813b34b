/**
 * `npm run bench`: runs the suites, keeps their reports in bench/results/, and writes docs/benchmarks.md and the
 * figures of README.md from them. `-- --quick` takes few samples and writes into a temporary folder only: to see that
 * all of it runs. `-- --pages` measures nothing and writes the pages from the results that are there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchmarksPage } from './tables.ts';
import type { Results } from './tables.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SUITES = ['pingpong', 'removal', 'compat'] as const;

const words = process.argv.slice(2);
const unknown = words.find((word) => !['--quick', '--pages'].includes(word));
if (unknown !== undefined) {
  process.stderr.write(`Usage: npm run bench -- [--quick | --pages]\nnot an option: ${unknown}\n`);
  process.exit(2);
}
const isQuick = words.includes('--quick');
const folder = isQuick ? mkdtempSync(join(tmpdir(), 'l3-bench-')) : join(root, 'bench/results');

function measure(suite: string): boolean {
  process.stderr.write(`${suite}\n`);
  const args = [join(root, 'src/cli/main.ts'), 'bench', suite, '--json', ...(isQuick ? ['--quick'] : [])];
  const { stdout, status } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (stdout.startsWith('{')) writeFileSync(join(folder, `${suite}.json`), stdout);
  return status === 0;
}

function read<Suite extends keyof Results>(suite: Suite): Results[Suite] {
  const path = join(folder, `${suite}.json`);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Results[Suite]) : undefined;
}

mkdirSync(folder, { recursive: true });
const failed = words.includes('--pages') ? [] : SUITES.filter((suite) => !measure(suite));
const page = benchmarksPage({ pingpong: read('pingpong'), removal: read('removal'), compat: read('compat') });
const pagePath = isQuick ? join(folder, 'benchmarks.md') : join(root, 'docs/benchmarks.md');
writeFileSync(pagePath, page);
if (!isQuick) spawnSync(process.execPath, [join(root, 'scripts/readme-figures.mjs')], { stdio: 'inherit' });
process.stdout.write(`${pagePath}\n`);
for (const suite of failed) process.stderr.write(`${suite}: some rows have no figure, see its report in ${folder}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
