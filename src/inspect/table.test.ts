/** The table of threads: columns that give way, order, and names that are no escape sequences. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RATES } from './rates.ts';
import type { ThreadView } from './snapshot.ts';
import {
  cut,
  formatCount,
  formatTime,
  isIdle,
  type Row,
  sortRows,
  tableLines,
  waitText,
  widthOf,
  wrap,
} from './table.ts';

function row(id: number, name: string, ipc_per_s = 0, more: Partial<ThreadView> = {}): Row {
  const thread: ThreadView = {
    id,
    task: id,
    name,
    role: 'server',
    processor: id,
    state: 'receiving',
    parked: true,
    inPlace: true,
    partner: null,
    method: null,
    sequence: 0,
    since_ms: null,
    sent: 0,
    bytes: 0,
    parks: 0,
    ...more,
  };
  return { thread, kind: 'worker', restarts: 0, partner: '', method: '', rates: { ...NO_RATES, ipc_per_s } };
}

const rows = [row(65_540, 'adder', 1234), row(65_543, 'store', 12, { since_ms: 1500 })];

test('every column is there when there is room, and the sorted one is marked', () => {
  const [titles, first] = tableLines(rows, 200, 'ipc');
  assert.deepEqual(titles!.split(/ {2,}/), [
    '',
    'ID',
    'TASK',
    'NAME',
    'KIND',
    'STATE',
    'PARTNER',
    'METHOD',
    'SINCE',
    'IPC/S*',
    'BYTES/S',
    'PARKS/S',
    'RESTARTS',
  ]);
  assert.match(first!, /^65540 {2}65540 {2}adder {2}worker {2}receiving .* 1\.23k /);
});

test('on a narrow terminal columns go by priority, and no line is wider than it', () => {
  for (let width = 1; width < 120; width++) {
    for (const line of tableLines(rows, width)) assert.ok(widthOf(line) <= width);
  }
  const titles = (width: number): string[] => tableLines(rows, width)[0]!.trim().split(/ +/);
  assert.deepEqual(titles(20), ['NAME', 'STATE']);
  assert.deepEqual(titles(36), ['NAME', 'STATE', 'PARTNER', 'IPC/S']);
  assert.ok(tableLines(rows, 36, 'restarts')[0]!.includes('RESTARTS*'));
  assert.ok(!titles(90).includes('RESTARTS'));
  assert.ok(titles(90).includes('IPC/S'));
});

test('rows are sorted by a column, equal ones by id', () => {
  const [a, b, c] = [row(3, 'x', 5), row(2, 'y', 9), row(1, 'z', 5)];
  const ids = (sorted: Row[]): number[] => sorted.map(({ thread }) => thread.id);
  assert.deepEqual(ids(sortRows([a, b, c], 'ipc', false)), [2, 1, 3]);
  assert.deepEqual(ids(sortRows([a, b, c], 'ipc', true)), [1, 3, 2]);
  assert.deepEqual(ids(sortRows([a, b, c], 'name', false)), [3, 2, 1]);
});

test('a name moves no cursor', () => {
  const [, line] = tableLines([row(1, 'a\u001b[2Jb\u202ec\n')], 100);
  assert.match(line!, /a\?\[2Jb\?c\? {2}/);
});

test('wide characters are counted as the terminal shows them', () => {
  assert.equal(widthOf('größe 😀漢'), 10);
  assert.equal(cut('漢字', 3), '漢');
  const [titles, first, second] = tableLines([row(1, '漢字😀'), row(2, 'abcdef')], 100);
  const column = titles!.indexOf('KIND');
  assert.equal(widthOf(first!.slice(0, first!.indexOf('worker'))), column);
  assert.equal(second!.indexOf('worker'), column);
});

test('threads that run and send nothing are idle, servers never', () => {
  assert.equal(isIdle(row(1, 'a', 0, { role: 'call', state: 'running' })), true);
  assert.equal(isIdle(row(1, 'a', 1, { role: 'call', state: 'running' })), false);
  assert.equal(isIdle(row(1, 'a', 0, { role: 'caller', state: 'waiting' })), false);
  assert.equal(isIdle(row(1, 'a', 0, { state: 'running' })), false);
});

test('waits are told with the call and how long', () => {
  const [main, a, b] = [row(1, 'main', 0, { role: 'caller', since_ms: 2500 }), row(2, 'a'), row(3, 'b')];
  const threads = [main, a, b].map(({ thread }) => thread);
  const method = ({ id }: ThreadView): string => (id === 1 ? 'f' : '');
  assert.equal(waitText(threads, false, method), 'waits: main/caller -> a.f() 2.5 s -> b, receiving');
  assert.equal(waitText(threads, true, method), 'ring: main/caller -> a.f() 2.5 s -> b -> main/caller');
});

test('a long sentence is broken at spaces', () => {
  assert.deepEqual(wrap('waits: a -> b.f() 2 s -> c', 14), ['waits: a ->', '  b.f() 2 s ->', '  c']);
  assert.deepEqual(wrap('short', 14), ['short']);
  assert.deepEqual(wrap('averyverylongword x', 6), ['averyv', '  x']);
});

test('figures are short', () => {
  assert.deepEqual([0, 0.4, 9.94, 12.4, 999, 999.6, 1234, 999_499, 999_500, 12e9].map(formatCount), [
    '0',
    '0.4',
    '9.9',
    '12',
    '999',
    '1000',
    '1.23k',
    '999k',
    '1.00M',
    '12.0G',
  ]);
  assert.deepEqual([0, 999, 1000, 61_000, 7_300_000].map(formatTime), ['0 ms', '999 ms', '1.0 s', '1 min', '2 h']);
});
