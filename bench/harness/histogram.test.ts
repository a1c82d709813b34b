/** Histograms of times. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addTo, BINS, count, histogram, packed, quantileOf, timeOf, totalOf, unpacked } from './histogram.ts';

test('a quantile is off by 3 % at most, from nanoseconds to minutes', () => {
  for (let ns = 40; ns < 1e11; ns *= 1.37) {
    const counts = histogram();
    count(counts, ns / 1e6);
    const found = quantileOf(counts, 0.5);
    assert.ok(Math.abs(found - ns) <= ns * 0.03, `${ns} is read as ${found}`);
  }
});

test('bins rise, and what is too long falls into the last one', () => {
  for (let bin = 1; bin < BINS; bin++) assert.ok(timeOf(bin) > timeOf(bin - 1), String(bin));
  const counts = histogram();
  count(counts, 1e12);
  count(counts, -1);
  assert.equal(totalOf(counts), 2);
  assert.equal(counts[BINS - 1], 1);
});

test('quantiles of many times, and of none', () => {
  const counts = histogram();
  for (let ns = 1; ns <= 10_000; ns++) count(counts, ns / 1e6);
  for (const q of [0.5, 0.99, 0.999]) assert.ok(Math.abs(quantileOf(counts, q) / (q * 10_000) - 1) < 0.03, String(q));
  assert.ok(Number.isNaN(quantileOf(histogram(), 0.5)));
});

test('a packed histogram is the same, and two add up', () => {
  const counts = histogram();
  for (const ms of [0.001, 0.001, 5]) count(counts, ms);
  const { bins, times } = packed(counts);
  const again = unpacked(bins, times);
  assert.deepEqual(again, counts);
  addTo(again, counts);
  assert.equal(totalOf(again), 6);
});
