/** The policy of spinning, fed by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANY_INDEX } from '../layout/params.ts';
import { firstSpin, learnSleep, learnSpin, spinsFor } from './patience.ts';
import { spinLoads } from './spin-loads.ts';

const long = 8 * spinLoads;
const skip = spinLoads === 0;

test(
  'who meets its messages spins, long for an answer; after spins in vain nobody does, but for a probe',
  { skip },
  () => {
    assert.equal(spinsFor(1), long);
    assert.equal(spinsFor(ANY_INDEX), spinLoads);
    assert.equal(firstSpin, spinLoads);
    for (let i = 0; i < 16; i++) learnSpin(long, false);
    assert.equal(firstSpin, 0);
    const spins = Array.from({ length: 256 }, () => spinsFor(1));
    assert.equal(spins.filter((loads) => loads === long).length, 2);
    assert.equal(spins.filter((loads) => loads === 0).length, 254);
    learnSpin(long, true);
    assert.equal(spinsFor(1), long);
    assert.equal(firstSpin, spinLoads);
  },
);

test('a long sleep gives credit for two spins', { skip }, () => {
  for (let i = 0; i < 16; i++) learnSpin(spinLoads, false);
  learnSleep(0.05);
  assert.equal(firstSpin, 0);
  learnSleep(5);
  for (let i = 0; i < 2; i++) {
    assert.equal(spinsFor(ANY_INDEX), spinLoads);
    learnSpin(spinLoads, false);
  }
  assert.equal(firstSpin, 0);
});

test('brief sleeps in a row make one separating spin, and not another at once', { skip }, () => {
  for (let i = 0; i < 12; i++) learnSleep(0.05);
  const separating = spinsFor(ANY_INDEX);
  assert.ok(separating >= 100 * spinLoads);
  learnSpin(separating, true);
  assert.equal(firstSpin, spinLoads);
  for (let i = 0; i < 12; i++) learnSleep(0.05);
  assert.equal(spinsFor(ANY_INDEX), spinLoads);
});
