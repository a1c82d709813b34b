/** The page of the exports is that of the sources. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { declarationsOf } from './api.mjs';
import { parseSource } from './source.mjs';

test('docs/api.md is of the present sources', () => {
  const script = fileURLToPath(new URL('api.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});

test('a declaration is quoted without its body, its comment is prose', () => {
  const text = '/**\n * Adds\n * two.\n */\nexport function add(a: number): number {\n  return a;\n}\ntype A = 1;\n';
  const found = declarationsOf(parseSource('a.ts', text));
  assert.deepEqual(found.get('add'), { prose: 'Adds two.', code: 'function add(a: number): number' });
  assert.deepEqual(found.get('A'), { prose: '', code: 'type A = 1;' });
});
