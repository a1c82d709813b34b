/** Which urls of a source text are those of tasks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findTasks, replaceTasks } from './find.ts';

const here = fileURLToPath(import.meta.url);
const url = "new URL('./entry.js', import.meta.url)";

test('the url of a task is found behind each of the three functions', () => {
  for (const call of [
    `task(${url})`,
    `system.spawn( ${url}, {})`,
    `(await boot()).spawnSync(${url})`,
    `task<typeof import('./entry.ts')>(${url})`,
    `spawn(/* the adder */ ${url})`,
    'task(new URL("./entry.ts", import.meta.url,))',
  ]) {
    const found = findTasks(call, here);
    assert.deepEqual(
      found.map(({ file }) => file),
      [fileURLToPath(new URL('entry.ts', import.meta.url))],
      call,
    );
  }
});

test('other urls are left alone', () => {
  for (const text of [
    `read(${url})`,
    `multitask(${url})`,
    "task(new URL('l3kernel', import.meta.url))",
    "task(new URL('./nowhere.ts', import.meta.url))",
    'task(new URL(`./${name}.ts`, import.meta.url))',
    `task(); const x = ${url}`,
  ]) {
    assert.deepEqual(findTasks(text, here), [], text);
  }
});

test('each url is replaced where it stands', () => {
  const code = `task(${url});\nsystem.spawn(${url}, { name: 'x' });`;
  const text = replaceTasks(code, findTasks(code, here), () => 'there');
  assert.equal(text, "task(there);\nsystem.spawn(there, { name: 'x' });");
});
