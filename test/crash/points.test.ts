/** A worker that is terminated before each of its writes, in each of the scenarios of points-table.ts. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OK, PEER_GONE } from '../../src/layout/message.ts';
import { bundleAgent, Field } from './points.ts';
import { SCENARIOS } from './points-table.ts';

let field: Field;

before(async () => {
  field = new Field(await bundleAgent());
});
after(() => field.end());

for (const [number, { name, victim }] of SCENARIOS.entries()) {
  test(`${name} dies before any of its writes: the other one is answered, and nothing is left`, async (t) => {
    const { points, results } = await field.sweep(number);
    const told = [...results].map(([result, count]) => `${count} × ${result}`).join(', ');
    t.diagnostic(`${points} points; results: ${told}`);
    assert.ok(points >= 6, `${points} points`);
    if (victim === 'server') assert.ok(results.has(PEER_GONE), told);
    else assert.deepEqual([...results.keys()], [OK]);
  });
}
