/** The soak of ten-million.ts, short enough for the gate. */
import assert from 'node:assert/strict';
import { guarded } from '../conformance/support.ts';
import { soak } from './soak.ts';

guarded('60,000 numbered messages of three clients arrive once and in order', async () => {
  const { problems, calls } = await soak(60_000);
  assert.deepEqual(problems, []);
  assert.ok(calls >= 60_000);
});
