/** The parser calls the highlighter itself, and finds its successor when it is gone. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { boot } from 'l3kernel';
import type { Task } from 'l3kernel';
import { parser } from '../fixture.ts';
import { openL3kernel } from './l3kernel.ts';
import { taskModules } from './l3kernel-tasks.ts';
import type { Parts, Walls } from './walls.ts';

const fragile = new URL('./fixtures/fragile-highlight.ts', import.meta.url);
const twoBlocks = '```js\na\n```\n\n```js\nb\n```\n';

let walls: Walls;

before(async () => {
  walls = await openL3kernel({}, { ...taskModules(parser), highlight: fragile });
  await walls.open(':memory:');
});
after(() => walls.close());

const textOf = async (markdown: string): Promise<string> =>
  (await walls.parse('a.md', markdown)).text.replace(/\s+/g, ' ');

test('the parser calls the highlighter once for each block', { timeout: 20_000 }, async () => {
  const before = { ...walls.calls };
  assert.equal(await textOf(twoBlocks), 'block 1 block 2');
  assert.equal(walls.calls.highlight - before.highlight, 2);
  assert.equal(walls.calls.parse - before.parse, 1);
});

test('a highlighter that ended is replaced, and the parser finds it', { timeout: 20_000 }, async () => {
  await assert.rejects(async () => walls.parse('a.md', '```exit\nx\n```\n'), { code: /^ERR_IPC_/ });
  assert.equal(await textOf(twoBlocks), 'block 1 block 2');
});

test('the parser looks again for a highlighter that was replaced', { timeout: 20_000 }, async () => {
  const system = await boot();
  // Tasks of other names than those of the walls, but for the one that is looked up.
  const parse: Task<Parts['parse']> = await system.spawn<Parts['parse']>(taskModules(parser).parse, {
    ...{ name: 'another parser', host: { documents: () => [] } },
  });
  assert.equal((await parse.async.parse('a.md', twoBlocks)).blocks, 2);
  await assert.rejects(async () => walls.parse('a.md', '```exit\nx\n```\n'));
  assert.equal(await textOf(twoBlocks), 'block 1 block 2');
  assert.equal((await parse.async.parse('a.md', twoBlocks)).blocks, 2);
  await parse.kill();
});
