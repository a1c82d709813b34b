// A test file in a thread of vitest's own.
import { task } from 'l3kernel';
import { expect, test } from 'vitest';

const store = task(new URL('./store.mjs', import.meta.url), { shared: 'store', timeout: 20_000 });

test('the store answers', async () => {
  expect(store.sync.add(1)).toBeGreaterThan(0);
  expect(await store.async.add(1)).toBeGreaterThan(1);
});
