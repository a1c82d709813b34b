/** The kernels of the constants keep step with the kernel's text, the counter with the built files; and some run. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { applyEdits } from '../harness/edits.ts';
import { KERNELS, QUICK, reportText, runConstants } from './main.ts';
import { counting } from './sizes.ts';
import { SPINS } from './variants.ts';

const textOf = (file: string): string => readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');

for (const { name, edits } of KERNELS.filter((kernel) => kernel.edits.length > 0)) {
  test(`'${name}': every edit fits the shipped text`, () => {
    for (const file of new Set(edits.map((edit) => edit.file))) {
      assert.notEqual(applyEdits(file, textOf(file), edits), textOf(file));
    }
  });
}

test('the shipped spin is among those that are measured, unedited', () => {
  assert.equal(KERNELS.filter(({ name, edits }) => name.startsWith('spin.') && edits.length === 0).length, 1);
  assert.equal(KERNELS.filter(({ name }) => name.startsWith('spin.')).length, SPINS.length);
});

test('messages are counted where they are put into a line, in readable and in short text', () => {
  const readable = 'function putMessage(target, sender, tag, sequence) {\n\tpoke(t + 1);\n\tregisters[4 + i];\n}';
  assert.match(counting(readable), /sequence\) \{ \{ let size = \(tag & 31\) \* 8[^}]*\+= registers\[36 \+ s\]/);
  const short = 'function putMessage(e,t,n,r){poke(e+1,t);poke(e+4+t,v[4+t])}';
  assert.match(counting(short), /\(e,t,n,r\)\{ \{ let size = \(n & 31\) \* 8[^}]*\+= v\[36 \+ s\]/);
  assert.equal(counting('function takeMessage(self) {}'), 'function takeMessage(self) {}');
});

test('the built files have the place where messages are counted: the chunks, the task, the supervisor', () => {
  const dist = new URL('../../dist/', import.meta.url);
  const counted = ['chunks/', 'workers/'].flatMap((folder) =>
    readdirSync(new URL(folder, dist)).filter((file) => {
      const text = readFileSync(new URL(folder + file, dist), 'utf8');
      return counting(text) !== text;
    }),
  );
  assert.ok(counted.some((file) => file.startsWith('task-')) && counted.some((file) => file.startsWith('supervisor-')));
  assert.equal(counted.length, 3);
});

test('a server that lets the answered caller go first answers all of a crowd all the same', async () => {
  const report = await runConstants({ words: ['service.caller-first'], plan: QUICK });
  assert.deepEqual(report.failures, []);
  const [row] = report.rows;
  assert.deepEqual(
    row!.cells.map((cell) => cell.row),
    ['crowd.greedy', 'crowd.equal'],
  );
  for (const { values } of row!.cells) {
    assert.ok(values['unevenness']! >= 1 && values['p50_ns']! <= values['p99_ns']! && values['each_ns']! > 0);
  }
  assert.match(reportText(report), /^service\.caller-first: the answered caller first$/m);
});

test('a kernel whose time never came has no figure, and says so; a word that names none is refused', async () => {
  const { rows, failures } = await runConstants({ words: ['messages'], plan: QUICK, budget_ms: 0 });
  assert.deepEqual([rows, failures.map((failure) => failure.rows)], [[], [['messages']]]);
  await assert.rejects(
    runConstants({ words: ['nothing'], plan: QUICK }),
    /no row 'nothing'; there are: service\.shipped/,
  );
});
