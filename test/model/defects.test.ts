/** The explorer sees what it must see: the kernel with a defect that was found in it fails again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defects, textsWith } from './defects.ts';
import { simplest } from './search.ts';
import { scenarios } from './scenarios.ts';
import { loadKernel, prepare } from './system.ts';

for (const defect of defects) {
  test(`it finds again: ${defect.about}`, async () => {
    const scenario = scenarios.find(({ name }) => name === defect.scenario)!;
    const { makeWorld, checkEnd } = prepare(await loadKernel(textsWith(defect)), scenario);
    assert.notEqual(simplest(makeWorld, checkEnd, { most: 3 }), null);
  });
}
