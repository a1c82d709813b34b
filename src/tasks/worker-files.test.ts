/** Which text a worker is started with: one that loads a file, or the whole script. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { preferFiles } from './worker-files.ts';

const TEXTS = { task: 'the task', supervisor: 'the supervisor' };
const NAMES = { task: './workers/task-1.cjs', supervisor: './workers/supervisor-1.cjs' };

/** A folder with both files below `inside`, and the URL of a module beside them. */
function folder(t: { after(action: () => void): void }, inside: string): { place: string; path: string } {
  const root = mkdtempSync(join(tmpdir(), 'l3-files-'));
  t.after(() => rmSync(root, { recursive: true }));
  const dir = join(root, inside);
  mkdirSync(join(dir, 'workers'), { recursive: true });
  for (const name of Object.values(NAMES)) writeFileSync(join(dir, name), '');
  return { place: pathToFileURL(join(dir, 'index.js')).href, path: dir };
}

test('a file that is there is loaded, with the compile cache on', (t) => {
  const { place, path } = folder(t, 'with a "quote"');
  const { task } = preferFiles(TEXTS, NAMES, place);
  assert.match(task, /enableCompileCache/);
  assert.ok(task.includes(JSON.stringify(join(path, 'workers/task-1.cjs'))));
});

test('without the file the whole script is the text: the package was bundled', (t) => {
  const { place } = folder(t, '');
  assert.equal(preferFiles(TEXTS, { ...NAMES, task: './workers/task-2.cjs' }, place).task, 'the task');
  assert.deepEqual(preferFiles(TEXTS, NAMES, 'https://example.org/index.js'), TEXTS);
  assert.deepEqual(preferFiles(TEXTS, NAMES, undefined), TEXTS);
});

test('a file in an archive is not loaded: the fs of a worker may not see it', (t) => {
  for (const inside of ['a.zip/node_modules/l3kernel', 'app.asar/dist']) {
    assert.deepEqual(preferFiles(TEXTS, NAMES, folder(t, inside).place), TEXTS);
  }
});
