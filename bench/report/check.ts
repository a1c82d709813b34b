/**
 * `npm run bench:check [-- ROW...]`: measures again and compares with bench/baseline.json. It fails when a ratio has
 * become worse by more than the row's tolerance, and when a row has no figure; times are of one machine and one minute,
 * and are not compared. `--accept` makes the baseline of what is in bench/results/pingpong.json, of the rows named or
 * of all.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FULL, runPingpong } from '../pingpong/main.ts';
import { selectRows } from '../pingpong/rows.ts';
import { acceptable, compare } from './baseline.ts';
import type { Baseline } from './baseline.ts';
import { readResults } from './results.ts';

const path = fileURLToPath(new URL('../baseline.json', import.meta.url));
const words = process.argv.slice(2).filter((word) => word !== '--accept');
const isAccepting = process.argv.includes('--accept');

const readBaseline = (): Baseline | undefined =>
  existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Baseline) : undefined;

/** The exit code: 0 all is as good, 1 something is not, 2 there is nothing to compare with. */
async function check(): Promise<number> {
  const baseline = readBaseline();
  if (baseline === undefined) {
    process.stderr.write('there is no bench/baseline.json: run npm run bench, then npm run bench:check -- --accept\n');
    return 2;
  }
  const wanted = selectRows(words).map(({ name }) => name);
  const { rows, failures } = await runPingpong({ words, plan: FULL });
  const { lines, worse, unmeasured } = compare(baseline, rows, wanted);
  process.stdout.write(`${lines.join('\n')}\n`);
  for (const failure of failures) {
    process.stderr.write(`${failure.rows.join(', ')}: ${failure.message.trimEnd()}\n`);
  }
  if (worse.length > 0) process.stderr.write(`worse: ${worse.join(', ')}\n`);
  if (unmeasured.length > 0) process.stderr.write(`not measured, which is no pass: ${unmeasured.join(', ')}\n`);
  return worse.length + unmeasured.length === 0 ? 0 : 1;
}

function accept(): number {
  const { pingpong } = readResults();
  if (pingpong === undefined) {
    process.stderr.write('there is no bench/results/pingpong.json: run npm run bench\n');
    return 2;
  }
  const wanted = selectRows(words).map(({ name }) => name);
  const baseline = acceptable(readBaseline(), pingpong.machine, pingpong.rows, wanted);
  writeFileSync(path, `${JSON.stringify(baseline, null, 1)}\n`);
  process.stdout.write(`${Object.keys(baseline.rows).length} ratios are the baseline now\n`);
  return 0;
}

try {
  process.exitCode = isAccepting ? accept() : await check();
} catch (error) {
  process.stderr.write(`bench:check: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
