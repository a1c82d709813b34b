/** The page of the benchmarks, and the comparison with what was before. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { acceptable, compare } from './baseline.ts';
import { figuresOf } from './figures.ts';
import { ALL_QUICK_S, ALL_S, BETWEEN_QUICK_S, BETWEEN_S, PARTS } from './parts.ts';
import { draw, pageHtml, writeFigures } from './plots.ts';
import { readResults, SUITES } from './results.ts';
import type { Results, Row } from './results.ts';
import { exponentOf, seriesOf } from './scale.ts';
import { benchmarksPage } from './tables.ts';

const machine = { cpu: 'a cpu', cores: 2, kernel: 'a kernel', node: '26.0.0', v8: '14', commit: 'abc' };
const empty = { machine, processes: 1, elapsed_ms: 1, failures: [] };
const row = (name: string, ratio: number, ratio_max?: number): Row => ({
  name,
  ns: 1234 * ratio,
  floor_ns: 1234,
  ratio,
  p10: ratio,
  p90: ratio,
  floor: 'a floor',
  method: 'a method',
  ...(ratio_max === undefined ? {} : { target: { ratio_max } }),
});

test('a page without results says how to make them', () => {
  const page = benchmarksPage({});
  assert.match(page, /Nothing has been measured/);
  assert.match(page, /l3 bench removal --json/);
});

test('a row stands in its table, and a missed one where it falls short', () => {
  const rows = [row('worker.call', 1.21, 1.3), row('local.call', 2.5, 2.3), row('docs.index', 1.1)];
  const page = benchmarksPage({ pingpong: { machine, rows } });
  assert.match(page, /\| `worker\.call` \| 1\.49 µs \| 1\.23 µs \| 1\.21 \|/);
  const [, short] = page.split('## Where we are slower') as [string, string];
  assert.match(short, /local\.call/);
  assert.doesNotMatch(short, /worker\.call|docs\.index/);
});

test('a variant stands with the techniques or with the checks, and says what breaks', () => {
  const cell = { name: 'worker.8', ns: 150, shipped_ns: 100, ratio: 1.5, p10: 1.4, p90: 1.6 };
  const common = { paper: '1', instead: 'something else', cells: [cell] };
  const removal = {
    machine,
    processes: 1,
    elapsed_ms: 1,
    failures: [],
    rows: [
      { ...common, name: 'a technique', kind: 'technique' as const },
      { ...common, name: 'a check', kind: 'check' as const, breaks: 'all is lost' },
    ],
  };
  const page = benchmarksPage({ removal });
  assert.match(page, /\*\*a technique\*\*: something else \| \+50 % \|/);
  assert.match(page, /- Without \*\*a check\*\*: all is lost\./);
});

test('a ratio may move within its spread, and is worse beyond it', () => {
  const baseline = { machine, rows: { quiet: { ratio: 1, p10: 1, p90: 1 }, noisy: { ratio: 2, p10: 1, p90: 5 } } };
  const rows = (...ratios: [string, number][]) => ratios.map(([name, ratio]) => ({ name, ratio }));
  const worseOf = (name: string, ratio: number) => compare(baseline, rows([name, ratio]), [name]).worse;
  const all = rows(['quiet', 1.14], ['noisy', 3.9], ['unheard of', 9]);
  const { worse, lines, unmeasured } = compare(baseline, all, ['quiet', 'noisy', 'unheard of']);
  assert.deepEqual([worse, unmeasured, lines.length], [[], [], 3]);
  assert.deepEqual(worseOf('quiet', 1.16), ['quiet']);
  assert.deepEqual(worseOf('noisy', 4.1), ['noisy']);
});

test('a row that was to be measured and has no figure is no pass, whether the baseline has it or not', () => {
  const baseline = { machine, rows: { gone: { ratio: 1, p10: 1, p90: 1 } } };
  const rows = [{ name: 'odd', ratio: Number.NaN }];
  const { unmeasured, worse, lines } = compare(baseline, rows, ['gone', 'new', 'odd']);
  assert.deepEqual(unmeasured, ['gone', 'new', 'odd']);
  assert.deepEqual(worse, []);
  assert.match(lines.join('\n'), /gone: NOT MEASURED, was 1\.00/);
});

test('a baseline is made of rows with figures only, and keeps the rows that were not named', () => {
  const rows = [row('a', 1), row('b', 2)];
  assert.deepEqual(Object.keys(acceptable(undefined, machine, rows, ['a', 'b']).rows), ['a', 'b']);
  assert.throws(() => acceptable(undefined, machine, rows, ['a', 'c']), /have no figure: c;/);
  const kept = acceptable({ machine, rows: { b: { ratio: 9, p10: 9, p90: 9 } } }, machine, rows, ['a']);
  assert.deepEqual([kept.rows['a']?.ratio, kept.rows['b']?.ratio], [1, 9]);
});

test('rows that a result lacks, and suites that have not run, are named as not measured', () => {
  const page = benchmarksPage({ pingpong: { machine, rows: [row('worker.call', 1.2, 1.3)] } });
  const [, first] = page.split('## A.') as [string, string];
  assert.match(first.split('## B.')[0]!, /Not measured yet: `local\.call`, `local\.passive`/);
  for (const suite of ['removal', 'compat', 'rivals', 'use', 'constants']) {
    assert.ok(page.includes(`Not measured yet: \`npx l3 bench ${suite} --json`), suite);
  }
  assert.match(page, /nothing is said of it here: compat, use, rivals, removal/);
  const partly: Results = { constants: { ...empty, rows: [{ name: 'spin.500', method: '', cells: [] }] } };
  assert.match(benchmarksPage(partly), /\| \*\*500\*\* \| not measured yet \|/);
  assert.match(benchmarksPage(partly), /\*\*Order of service\*\*: not measured yet/);
});

test('where others are better in use, and where a technique costs, is said', () => {
  const times = { calls: 9, p50_ns: 100, p99_ns: 100, p999_ns: 100, each_ns: 1, cpu_ns: 100 };
  const beside = { ...times, p99_ns: 50 };
  const common = { size: 1, method: 'm', floor: 'postMessage', ratio: 1, p10: 1, p90: 1 };
  const cell = { name: 'worker.8', ns: 90, shipped_ns: 100, ratio: 0.9, p10: 0.8, p90: 0.95 };
  const variant = { name: 'a technique', kind: 'technique' as const, paper: '', instead: '', cells: [cell] };
  const page = benchmarksPage({
    use: { ...empty, rows: [{ name: 'dense', ...common, ...times, beside }] },
    removal: { ...empty, rows: [variant] },
    rivals: { machine, rows: [row('null.theirs', 0.5), row('null.l3kernel.async', 0.5)] },
  });
  const [, short] = page.split('## Where we are slower') as [string, string];
  assert.match(short, /`dense` \| p99 \| 100 ns \| postMessage: 50\.0 ns \| 2\.00/);
  assert.doesNotMatch(short, /`dense` \| p50/);
  assert.match(short, /`null\.theirs` \| median/);
  assert.doesNotMatch(short.split('## Plots')[0]!, /l3kernel\.async/);
  assert.match(short, /a technique \| `worker\.8` \| −10 %/);
});

test('an exponent says how a cost grows', () => {
  const grown = (b: number) => [1, 10, 100, 1000].map((size) => ({ size, cost: 7 * size ** b }));
  for (const b of [0, 0.5, 1, 2]) assert.ok(Math.abs(exponentOf(grown(b))! - b) < 1e-9, String(b));
  assert.equal(exponentOf(grown(1).slice(0, 1)), undefined);
  const rows = [row('timeouts.1', 1), row('timeouts.16', 1), row('timeouts.tick.1', 1), row('timeouts.tick.16', 16)];
  assert.deepEqual(
    seriesOf({ pingpong: { machine, rows } }).map(({ name, points }) => [name, points.length, exponentOf(points)]),
    [
      ['timeouts', 2, 0],
      ['timeouts.tick', 2, 1],
    ],
  );
});

test('the parts of a run fit into its time', () => {
  const sum = (what: 'seconds' | 'quick_s', between: number) =>
    PARTS.reduce((all, part) => all + part[what] + between, 0);
  assert.ok(sum('seconds', BETWEEN_S) <= ALL_S);
  assert.ok(sum('quick_s', BETWEEN_QUICK_S) <= ALL_QUICK_S);
  assert.deepEqual(new Set(PARTS.map(({ suite }) => suite)), new Set(SUITES));
});

test('plots are drawn of what there is, the same each time, and the page needs nothing besides', () => {
  assert.deepEqual(figuresOf({}), []);
  const rows = [row('worker.call', 1.2, 1.3), row('worker.bytes.4096', 1), row('worker.bytes.65536', 2)];
  const results = { pingpong: { machine, rows } };
  const drawn = figuresOf(results);
  assert.deepEqual(
    drawn.map(({ name }) => name),
    ['bench-floors', 'bench-sizes', 'bench-systems'],
  );
  for (const figure of drawn) assert.match(draw(figure), /^<svg [\s\S]*<\/svg>$/);
  const page = pageHtml(results);
  assert.equal(page.match(/<svg /g)?.length, drawn.length);
  assert.equal(page, pageHtml(results));
  assert.doesNotMatch(page.replaceAll(/xmlns(?::\w+)?="[^"]*"/g, ''), /src=|href=|url\((?!#)|@import|<script/);
});

test('pictures without a result are taken away', () => {
  const folder = mkdtempSync(join(tmpdir(), 'l3-figures-'));
  try {
    for (const name of ['bench-old.svg', 'other.svg']) writeFileSync(join(folder, name), '');
    const paths = writeFigures({ pingpong: { machine, rows: [row('worker.call', 1.2)] } }, folder);
    assert.deepEqual(readdirSync(folder).sort(), ['bench-systems.svg', 'other.svg']);
    assert.deepEqual(paths, [join(folder, 'bench-systems.svg')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the page of the repository is that of its results, and its pictures are there', () => {
  const docs = new URL('../../docs/', import.meta.url);
  const page = readFileSync(new URL('benchmarks.md', docs), 'utf8');
  assert.equal(page, benchmarksPage(readResults()), 'run npm run bench -- --pages');
  for (const [, path] of page.matchAll(/\]\((figures\/[^)]+)\)/g)) assert.ok(existsSync(new URL(path!, docs)), path);
});
