/** The table: what stands in it when a machine was so busy that a sample came to nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CorpusResult } from './index-corpus.ts';
import { rowOf, tableCells } from './measure.ts';

const result = (stem: number, sample: boolean): CorpusResult =>
  ({
    walls: sample ? 'synckit' : 'direct',
    seconds: 2,
    calls: stem + 80,
    sample,
    digests: {},
    documents: 0,
    ...{ calls_by_part: { stem } },
  }) as unknown as CorpusResult;

test('a sample without a word estimates nothing', () => {
  const direct = result(1000, false);
  const rows = [rowOf(direct, direct), rowOf(result(0, true), direct), rowOf(result(100, true), direct)];
  const seconds = tableCells(JSON.parse(JSON.stringify(rows))).map((row) => row[1]);
  assert.deepEqual(seconds, ['2.00', '– *', '20 *']);
});
