/** Order statistics: exact values on small hand-made samples. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, quantile, summarize, summarizePairs } from './stats.ts';

test('median of an odd and of an even number of samples', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('median of nothing is NaN', () => {
  assert.ok(Number.isNaN(median([])));
});

test('quantile interpolates between neighbours and leaves its input alone', () => {
  const samples = [50, 10, 40, 20, 30];
  assert.equal(quantile(samples, 0), 10);
  assert.equal(quantile(samples, 1), 50);
  assert.equal(quantile(samples, 0.1), 14);
  assert.equal(quantile(samples, 0.9), 46);
  assert.deepEqual(samples, [50, 10, 40, 20, 30]);
});

test('quantile sorts by number and not by text', () => {
  assert.equal(median([9, 10, 100]), 10);
});

test('summarize counts its samples', () => {
  assert.deepEqual(summarize([1, 1, 1]), { median: 1, p10: 1, p90: 1, samples: 3 });
});

test('a pair summary takes the median of the ratios, not the ratio of the medians', () => {
  // The machine was three times slower during the middle pair; both of its sides were, so its ratio stands.
  const pairs = [
    { ns: 130, floor_ns: 100 },
    { ns: 390, floor_ns: 300 },
    { ns: 140, floor_ns: 100 },
  ];
  const summary = summarizePairs(pairs);
  assert.equal(summary.ratio, 1.3);
  assert.equal(summary.ns, 140);
  assert.equal(summary.floor_ns, 100);
  assert.equal(summary.samples, 3);
});
