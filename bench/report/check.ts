/**
 * `npm run bench:check [-- ROW...]`: measures again and compares with bench/baseline.json. It fails when a ratio has
 * become worse by more than the row's tolerance; times are of one machine and one minute, and are not compared.
 * `--accept` makes the baseline of what is in bench/results/pingpong.json.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FULL, runPingpong } from '../pingpong/main.ts';
import { compare } from './baseline.ts';
import type { Baseline } from './baseline.ts';
import type { Rows } from './tables.ts';

const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
const words = process.argv.slice(2);

if (words.includes('--accept')) {
  const { machine, rows } = JSON.parse(readFileSync(path('results/pingpong.json'), 'utf8')) as Rows;
  const baseline: Baseline = {
    machine,
    rows: Object.fromEntries(rows.map(({ name, ratio, p10, p90 }) => [name, { ratio, p10, p90 }])),
  };
  writeFileSync(path('baseline.json'), `${JSON.stringify(baseline, null, 1)}\n`);
  process.stdout.write(`${Object.keys(baseline.rows).length} ratios are the baseline now\n`);
} else if (!existsSync(path('baseline.json'))) {
  process.stderr.write('there is no bench/baseline.json: run npm run bench, then npm run bench:check -- --accept\n');
  process.exitCode = 2;
} else {
  const baseline = JSON.parse(readFileSync(path('baseline.json'), 'utf8')) as Baseline;
  const report = await runPingpong({ words, plan: FULL });
  const { lines, worse } = compare(baseline, report.rows);
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = worse.length === 0 ? 0 : 1;
}
