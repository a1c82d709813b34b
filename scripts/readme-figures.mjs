/**
 * Rewrites the figures of README.md between `<!-- bench:prices -->` and `<!-- /bench:prices -->` from
 * bench/results/pingpong.json, the report of `l3 bench pingpong --json`: `node scripts/readme-figures.mjs`. With
 * `--check` nothing is written, and the exit code says whether the figures are those of the report.
 *
 * No figure is typed by hand. Without a report the text says that there are none; a row that the report lacks is left
 * out of the table.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const resultsPath = 'bench/results/pingpong.json';
const begin = '<!-- bench:prices -->';
const end = '<!-- /bench:prices -->';

/** The rows of the table: name in the report, and what it is in words. */
const shown = [
  ['local.passive', '`local`: a low-level call to a function on the caller’s stack'],
  ['local.call', '`local`: a low-level call between two generator threads'],
  ['worker.call', '`worker`: a low-level call, two words each way'],
  ['worker.sync', '`worker`: `t.sync.add(1, 2)`'],
  ['worker.sync.string', '`worker`: a string of 32 characters there and back'],
  ['worker.sync.object', '`worker`: ten records back'],
  ['worker.upcall', '`worker`: a call that calls back once'],
  ['worker.async', '`worker`: `await t.async.add(1, 2)`'],
  ['worker.async.1000', '`worker`: the same, 1,000 in flight'],
  ['postMessage', '`postMessage` to a worker and back'],
  ['comlink', 'Comlink over a worker'],
  ['synckit', 'synckit'],
];

/**
 * @typedef {{ cpu?: string, cores?: number, node?: string, commit?: string }} Machine
 * @typedef {{ name: string, ns: number, floor_ns: number, ratio: number, p10: number, p90: number }} Row
 * @typedef {{ machine?: Machine, rows: Row[] }} Report
 */

/** Nanoseconds in the unit that leaves one to three digits before the point. @param {number} ns */
export function duration(ns) {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(2)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(2)} ms`;
  if (ns >= 1e3) return `${(ns / 1e3).toFixed(2)} µs`;
  return `${ns.toFixed(ns < 100 ? 1 : 0)} ns`;
}

/** @param {number} value */
const ratio = (value) => value.toFixed(value < 10 ? 2 : 0);

/** The text between the markers. @param {Report | undefined} report */
export function figures(report) {
  if (report === undefined) {
    return (
      `No figures have been generated yet: make the folder \`bench/results\`, run \`npx l3 bench pingpong --json > ${resultsPath}\`, ` +
      'then `node scripts/readme-figures.mjs`.'
    );
  }
  const byName = new Map(report.rows.map((row) => [row.name, row]));
  const lines = ['| one round trip | time | floor beside it | ratio | p10 to p90 |', '|---|---:|---:|---:|---:|'];
  for (const [name, words] of shown) {
    const row = byName.get(name);
    if (row === undefined) continue;
    const spread = `${ratio(row.p10)} to ${ratio(row.p90)}`;
    lines.push(`| ${words} | ${duration(row.ns)} | ${duration(row.floor_ns)} | ${ratio(row.ratio)} | ${spread} |`);
  }
  const { cpu, cores, node, commit } = report.machine ?? {};
  const machine = [
    cpu,
    cores === undefined ? undefined : `${cores} cores`,
    node === undefined ? undefined : `Node ${node}`,
    commit,
  ];
  lines.push(
    '',
    `${machine.filter(Boolean).join(', ')}. Made from \`${resultsPath}\`; the ratio is the median of pairs`,
  );
  lines.push('of blocks measured beside each other, see [bench/README.md](bench/README.md).');
  return lines.join('\n');
}

/** The document with new figures; throws when it has no place for them. @param {string} text @param {string} inside */
export function withFigures(text, inside) {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has no place for figures: ${begin} … ${end}`);
  return `${text.slice(0, from + begin.length)}\n${inside}\n${text.slice(to)}`;
}

if (import.meta.main ?? process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = join(root, resultsPath);
  const readme = join(root, 'README.md');
  const report = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : undefined;
  const text = readFileSync(readme, 'utf8');
  const next = withFigures(text, figures(report));
  const isCheck = process.argv.includes('--check');
  if (next === text) console.log('README.md has the figures of the report');
  else if (isCheck) console.log(`README.md has other figures than ${resultsPath}; run node scripts/readme-figures.mjs`);
  else console.log(`README.md: figures from ${report === undefined ? 'no report' : resultsPath}`);
  if (isCheck && next !== text) process.exitCode = 1;
  else if (next !== text) writeFileSync(readme, next);
}
