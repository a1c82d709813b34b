/** The site behind l3kernel's walls: the same content, and parts that fail without taking the site along. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findDocuments } from './find-documents.ts';
import { makeFixture, parser } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import type { CorpusResult } from './index-corpus.ts';
import { indexDocuments } from './indexer.ts';
import { createSite } from './site.ts';
import type { Answer, Site } from './site.ts';
import { openWalls } from './walls/walls.ts';
import type { Walls } from './walls/walls.ts';

let fixture: Fixture;
let walls: Walls;
let site: Site;

before(async () => {
  fixture = makeFixture();
  walls = await openWalls('l3kernel', { parser });
  const { documents } = await findDocuments(fixture.folder);
  await walls.open(':memory:');
  await walls.begin();
  await indexDocuments(walls, documents, new Set(documents.map(({ path }) => path)));
  await walls.finish('test');
  site = await createSite(walls, { rows: [], measured: '' });
});
after(async () => {
  await walls.close();
  fixture.remove();
});

const ask = (url: string): Promise<Answer> => site.answer({ method: 'GET', url, accept: 'application/json' });
const slow = `/?q=${encodeURIComponent('/^(([a-z])+.)+[A-Z]([a-z])+$/')}`;

/** In a process of its own: walls that are closed take the system of their process with them. */
async function measured(kind: string, ...sample_seconds: string[]): Promise<CorpusResult> {
  const program = fileURLToPath(new URL('./index-corpus.ts', import.meta.url));
  const args = [...process.execArgv, program, `--parser=${parser}`, fixture.folder, kind, ...sample_seconds];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout) as CorpusResult;
}

test('l3kernel makes the same content by the same calls as no walls', { timeout: 60_000 }, async () => {
  const [direct, behind] = [await measured('direct'), await measured('l3kernel')];
  assert.deepEqual(behind.digests, direct.digests);
  assert.equal(behind.hash, direct.hash);
  assert.deepEqual(behind.calls_by_part, direct.calls_by_part);
});

test('a sample ends when its time is over', { timeout: 60_000 }, async () => {
  const { sample, documents, seconds } = await measured('l3kernel', '0');
  assert.equal(sample, true);
  assert.equal(documents, 0);
  assert.ok(seconds < 20);
});

test('a pattern that never ends is stopped while others are served', { timeout: 20_000 }, async () => {
  let ended = false;
  const stopped = ask(slow).finally(() => (ended = true));
  const page = await ask('/page/alpha/README.md');
  assert.equal(page.status, 200);
  assert.equal((await ask('/?q=servers')).status, 200);
  assert.equal(ended, false);
  const answer = await stopped;
  assert.equal(answer.status, 422, answer.body);
  assert.match(answer.body, /was stopped: a line took it longer than/);
});

test('the part that was stopped is there again for the next pattern', { timeout: 20_000 }, async () => {
  const [first, second, third] = await Promise.all([ask(slow), ask('/?q=%2Falpha%2F'), ask(slow)]);
  assert.deepEqual([first?.status, second?.status, third?.status], [422, 200, 422]);
  assert.ok((JSON.parse(second?.body ?? '') as { lines: number }).lines > 0);
});

test('the bytes copied are counted', () => {
  assert.ok((walls.bytesCopied() ?? 0) > 0);
});

test('questions to a part that is replaced again and again are answered', { timeout: 60_000 }, async () => {
  const searches = Array.from({ length: 4 }, () => ask(slow));
  const stopped = Promise.all(searches);
  let isOver = false;
  void stopped.finally(() => (isOver = true));
  const asking = Array.from({ length: 8 }, async () => {
    for (let asked = 0; !isOver || asked === 0; asked++) assert.equal((await ask('/?q=%2F%28%2F')).status, 400);
  });
  const found = Promise.all(Array.from({ length: 3 }, () => ask('/?q=%2Falpha%2F')));
  assert.deepEqual(new Set((await stopped).map(({ status }) => status)), new Set([422]));
  for (const { status, body } of await found) assert.equal(status, 200, body);
  await Promise.all(asking);
});
