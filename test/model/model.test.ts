/** The interleavings of the shipped kernel, scenario by scenario, each complete within its bound: nobody dies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exploreInGate } from './gate.ts';
import { parseSchedule, scheduleText } from './search.ts';

await exploreInGate('live');

test('a schedule is the same after it was written and read', () => {
  const choices = [0, 0, 0, 4, 5, 5, 10, 44];
  assert.equal(scheduleText(choices), '0*3.1.1t*2.2k.11');
  assert.deepEqual(parseSchedule(scheduleText(choices)), choices);
});
