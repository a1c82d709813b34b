/** The page of the benchmarks, and the comparison with what was before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare } from './baseline.ts';
import { benchmarksPage } from './tables.ts';
import type { Row } from './tables.ts';

const machine = { cpu: 'a cpu', cores: 2, kernel: 'a kernel', node: '26.0.0', v8: '14', commit: 'abc' };
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
  const [, short] = page.split('## Where it falls short') as [string, string];
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
  const { worse, lines } = compare(baseline, [
    { name: 'quiet', ratio: 1.14 },
    { name: 'noisy', ratio: 3.9 },
    { name: 'unheard of', ratio: 9 },
  ]);
  assert.deepEqual(worse, []);
  assert.equal(lines.length, 3);
  assert.deepEqual(compare(baseline, [{ name: 'quiet', ratio: 1.16 }]).worse, ['quiet']);
  assert.deepEqual(compare(baseline, [{ name: 'noisy', ratio: 4.1 }]).worse, ['noisy']);
});
