/** The interleavings of the shipped kernel, scenario by scenario, each complete within its bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore, parseSchedule, scheduleText } from './search.ts';
import { scenarios } from './scenarios.ts';
import { loadKernel, prepare } from './system.ts';

const kernel = await loadKernel();

for (const scenario of scenarios.filter(({ deep }) => deep !== true)) {
  const { name, about, preemptions } = scenario;
  const bound = preemptions === undefined ? 'completely' : `to ${preemptions} preemptions`;
  test(`${name}: ${about}, explored ${bound}`, () => {
    const { makeWorld, checkEnd } = prepare(kernel, scenario);
    const { complete, ends, failure } = explore(makeWorld, checkEnd, preemptions === undefined ? {} : { preemptions });
    if (scenario.fails !== undefined) {
      assert.match(failure?.reason ?? '', scenario.fails);
      return;
    }
    assert.equal(failure, null);
    assert.ok(complete && ends > 0);
  });
}

test('a schedule is the same after it was written and read', () => {
  const choices = [0, 0, 0, 4, 5, 5, 10, 44];
  assert.equal(scheduleText(choices), '0*3.1.1t*2.2k.11');
  assert.deepEqual(parseSchedule(scheduleText(choices)), choices);
});
