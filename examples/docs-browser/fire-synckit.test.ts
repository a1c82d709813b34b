/** What is said of synckit beside the table is what it does, each case in a process of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { synckitFates } from './fire-synckit.ts';
import { breakKinds } from './walls/walls.ts';

test('every case of synckit ends, by itself or by the watchdog', { timeout: 60_000 }, async () => {
  const fates = await synckitFates();
  assert.deepEqual(Object.keys(fates), [...breakKinds]);
  for (const [kind, fate] of Object.entries(fates)) assert.match(fate, /^(?:hung|threw .|returned .)/, kind);
  // What nothing but a watchdog can end, and what is an ordinary error everywhere.
  assert.equal(fates.loop, 'hung');
  assert.equal(fates.regex, 'hung');
  assert.equal(fates.throw, 'threw TypeError: broken on purpose');
});
