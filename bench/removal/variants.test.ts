/** The variants keep step with the kernel's text. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { applyEdits } from '../harness/edits.ts';
import { CELLS } from './cells.ts';
import { QUICK, runRemoval } from './main.ts';
import { VARIANTS } from './variants.ts';

const textOf = (file: string): string => readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');

for (const { name, edits, rows } of VARIANTS) {
  test(`without '${name}': every edit fits the shipped text, and some cell is measured`, () => {
    for (const file of new Set(edits.map((edit) => edit.file))) {
      assert.notEqual(applyEdits(file, textOf(file), edits), textOf(file));
    }
    assert.ok(CELLS.some((cell) => rows.some((beginning) => cell.name.startsWith(beginning))));
  });
}

test('an edit that does not fit is an error that names the text and the file', () => {
  const edit = { file: 'kernel/ipc.ts', find: 'nowhere', replace: '' };
  assert.throws(() => applyEdits('kernel/ipc.ts', 'a text', [edit]), /'nowhere' stands 0 times in src\/kernel\/ipc.ts/);
});

test('a variant whose time never came has no figure, and is named', async () => {
  const { rows, failures } = await runRemoval({ words: ['generation'], plan: QUICK, budget_ms: 0 });
  assert.deepEqual([rows, failures.map((failure) => failure.rows)], [[], [['generation']]]);
});
