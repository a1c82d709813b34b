/** The same files give the same index behind every kind of walls. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fixtureDocuments, makeFixture, parser } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import { indexCorpus } from './index-corpus.ts';
import type { CorpusResult } from './index-corpus.ts';

let fixture: Fixture;
let direct: CorpusResult;

before(async () => {
  fixture = makeFixture();
  direct = await indexCorpus(fixture.folder, 'direct', { parser });
});
after(() => fixture.remove());

test('direct indexes every document, a call a word', () => {
  assert.equal(direct.documents, fixtureDocuments);
  assert.equal(direct.calls_by_part.stem, direct.words);
  assert.equal(direct.calls_by_part.store, direct.documents + 1);
  assert.equal(direct.sample, false);
});

for (const name of ['comlink', 'synckit'] as const) {
  test(`${name} makes the same content as no walls`, async () => {
    const result = await indexCorpus(fixture.folder, name, { parser, sample_seconds: 4 });
    assert.ok(result.documents > 0);
    for (const [path, digest] of Object.entries(result.digests)) assert.equal(digest, direct.digests[path], path);
    if (!result.sample) assert.equal(result.hash, direct.hash);
  });
}
