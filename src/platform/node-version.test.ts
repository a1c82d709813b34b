/** An old Node is told which one is needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tooOld } from './node-version.ts';

test('a Node below the one that package.json names is told so', () => {
  for (const version of ['20.20.2', '22.17.1', '18.0.0']) {
    assert.equal(tooOld(version), `l3kernel needs Node 22.18 or newer; this is Node ${version}`);
  }
  for (const version of ['22.18.0', '22.23.3', '24.0.0', '26.10.0']) assert.equal(tooOld(version), null);
});
