/** The policy of spinning, fed by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANY_INDEX } from '../layout/params.ts';
import { learnSleep, learnSpin, spinsFor } from './patience.ts';
import { spinLoads } from './spin-loads.ts';

const long = 8 * spinLoads;

test('a closed wait spins long until long spins have been in vain', () => {
  if (spinLoads === 0) return;
  assert.equal(spinsFor(1, false), long);
  assert.equal(spinsFor(ANY_INDEX, false), spinLoads);
  for (let i = 0; i < 16; i++) learnSpin(long, false);
  const spins = Array.from({ length: 16 }, () => spinsFor(1, false));
  assert.equal(spins.filter((loads) => loads === long).length, 2);
  assert.equal(spinsFor(1, true), long);
  learnSpin(long, true);
  assert.equal(spinsFor(1, false), long);
});

test('brief sleeps in a row make one separating spin, and not another at once', () => {
  for (let i = 0; i < 12; i++) learnSleep(0.05);
  assert.ok(spinsFor(ANY_INDEX, false) >= 100 * spinLoads);
  for (let i = 0; i < 12; i++) learnSleep(0.05);
  assert.equal(spinsFor(ANY_INDEX, false), spinLoads);
  learnSleep(5);
});
