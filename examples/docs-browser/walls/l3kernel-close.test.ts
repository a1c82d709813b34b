/** Walls that are closed while somebody still calls through them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openL3kernel } from './l3kernel.ts';

test('walls refuse calls that would block from the moment they close', { timeout: 20_000 }, async () => {
  const walls = await openL3kernel();
  await walls.open(':memory:');
  assert.deepEqual(walls.stem(['running']), ['run']);
  const closed = walls.close();
  assert.throws(() => walls.stem(['running']), { message: 'the walls are closed' });
  await assert.rejects(async () => walls.parse('a.md', '# a'));
  await closed;
  assert.throws(() => walls.stem(['running']), { message: 'the walls are closed' });
});
