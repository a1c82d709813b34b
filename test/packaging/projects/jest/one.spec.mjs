// A test file, in the runner's own worker or process.
import { expect, jest, test } from '@jest/globals';
import { boot, task } from 'l3kernel';

const lazy = task(new URL('./adder.mjs', import.meta.url), { timeout: 8000 });

test('a task answers', async () => {
  expect(lazy.sync.add(1, 2)).toBe(3);
  const system = await boot();
  const adder = await system.spawn(new URL('./adder.mjs', import.meta.url));
  expect(await adder.async.add(3, 4)).toBe(7);
  await adder.kill();
});

test('a task answers while timers are mocked', async () => {
  jest.useFakeTimers();
  expect(lazy.sync.add(1, 2)).toBe(3);
  expect(await lazy.async.add(1, 2)).toBe(3);
  await Promise.all(Array.from({ length: 200 }, (_, i) => lazy.async.add(i, 1)));
  jest.useRealTimers();
});
