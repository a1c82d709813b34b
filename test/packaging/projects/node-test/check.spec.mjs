// Calls while the timers of the test's thread stand still.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boot } from 'l3kernel';

test('calls are answered while timers are mocked', async (t) => {
  t.mock.timers.enable();
  const system = await boot({ timeout: 8000 });
  const adder = await system.spawn(new URL('./adder.mjs', import.meta.url));
  assert.equal(adder.sync.add(1, 2), 3);
  assert.equal(await adder.async.add(3, 4), 7);
  assert.equal(await adder.async.later('x'), 'x');
  const many = await Promise.all(Array.from({ length: 500 }, (_, i) => adder.async.add(i, 1)));
  assert.equal(many[499], 500);
  await adder.kill();
  t.mock.timers.reset();
  await system.shutdown();
});
