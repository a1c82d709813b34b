/** Tests of the site without a socket: searches, pages, negotiation, and requests that nobody should send. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findDocuments } from './find-documents.ts';
import { fixtureDocuments, makeFixture, parser } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import { indexDocuments } from './indexer.ts';
import { createSite, prefersJson } from './site.ts';
import type { Answer, Site } from './site.ts';
import { openWalls } from './walls/walls.ts';
import type { Walls } from './walls/walls.ts';

let fixture: Fixture;
let walls: Walls;
let site: Site;

before(async () => {
  fixture = makeFixture();
  walls = await openWalls('direct', { parser });
  const { documents } = await findDocuments(fixture.folder);
  assert.equal(documents.length, fixtureDocuments);
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

const ask = (url: string, accept = 'text/html', method = 'GET'): Promise<Answer> =>
  site.answer({ method, url, accept });

async function json<T>(url: string): Promise<T & { status: number }> {
  const answer = await ask(url, 'application/json');
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  return { ...(JSON.parse(answer.body) as T), status: answer.status };
}

interface Results {
  total: number;
  lines: number;
  results: { path: string; title: string; snippet: string; marks: number[]; lines: { line: number; text: string }[] }[];
}
const search = (query: string, page = 1): Promise<Results & { status: number }> =>
  json<Results>(`/?q=${encodeURIComponent(query)}&p=${page}`);

test('a search finds words by their stem and marks them', async () => {
  const found = await search('serving RUNS');
  assert.deepEqual(found.results.map(({ path }) => path).sort(), []);
  const runs = await search('Servers RUNS');
  assert.deepEqual(runs.results.map(({ path }) => path).sort(), ['alpha/README.md', 'alpha/docs/guide.md']);
  for (const { snippet, marks } of runs.results) {
    assert.ok(marks.length >= 4);
    for (let at = 0; at < marks.length; at += 2)
      assert.match(snippet.slice(marks[at], marks[at + 1]), /^(?:servers?|runn?i?n?g?)$/i);
  }
});

test('a phrase finds words in a row only', async () => {
  assert.equal((await search('connection timeout')).total, 1);
  assert.equal((await search('"connection timeout"')).total, 1);
  assert.equal((await search('"timeout connection"')).total, 0);
  assert.equal((await search('connection')).total, 2);
});

test('a search finds other scripts', async () => {
  for (const word of ['naïve', 'CAFÉ', 'straße', '日本語'])
    assert.deepEqual(
      (await search(word)).results.map(({ path }) => path),
      ['beta/CHANGELOG.md'],
      word,
    );
});

test('a search takes operators of the database for words', async () => {
  for (const query of [
    'NOT',
    'a AND b OR',
    'stems:alpha',
    '"',
    'NEAR(a b)',
    '*',
    'alpha*',
    "'; DROP TABLE document; --",
    '{a b}: c',
    '^alpha',
    'a" OR "b',
  ]) {
    const { status } = await ask(`/?q=${encodeURIComponent(query)}`);
    assert.ok(status === 200 || (status === 400 && !/[a-z]/i.test(query)), `${query}: ${status}`);
  }
  assert.equal((await search('alpha')).total, 2);
});

test('a pattern finds lines and shows where', async () => {
  const found = await search('/^#+ (first|alpha)/i');
  assert.deepEqual(
    found.results.map(({ path, lines }) => [path, lines.map(({ line }) => line)]),
    [
      ['alpha/README.md', [1]],
      ['alpha/docs/guide.md', [3]],
    ],
  );
  assert.equal(found.lines, 2);
  assert.match((await ask('/?q=%2F%3Cscript%3E%2F')).body, /<mark>&#60;script&#62;<\/mark>/);
});

test('a pattern with sticky flags finds every line', async () => {
  const plain = await search('/a/');
  assert.ok(plain.lines > 5);
  assert.equal((await search('/a/gy')).lines, plain.lines);
});

test('a bad pattern is answered by the message of the engine', async () => {
  for (const [query, message] of [
    ['/(/', 'Unterminated group'],
    ['/a/zz', 'Invalid flags'],
    ['/[b-a]/', 'out of order'],
  ] as const) {
    const answer = await ask(`/?q=${encodeURIComponent(query)}`);
    assert.equal(answer.status, 400, query);
    assert.ok(answer.body.includes(message), answer.body);
  }
});

test('a bad query is refused with a sentence', async () => {
  for (const url of [
    `/?q=${'x'.repeat(300)}`,
    '/?q=%21%21%21',
    '/?q=a&p=0',
    '/?q=a&p=-1',
    '/?q=a&p=1e3',
    '/?q=a&p=99999',
    `/?q=${'a+'.repeat(40)}`,
  ]) {
    const answer = await ask(url, 'application/json');
    assert.equal(answer.status, 400, url);
    assert.match((JSON.parse(answer.body) as { error: { message: string } }).error.message, /\.$/);
  }
  assert.equal((await ask('/?q=%ff%fe')).status, 400);
  assert.equal((await ask('/?q=a&p=500')).status, 200);
  assert.equal((await ask(`/?x=${'y'.repeat(5000)}`)).status, 414);
});

test('a page has its document, its way back and its contents', async () => {
  const { status, body } = await ask('/page/alpha/docs/guide.md');
  assert.equal(status, 200);
  assert.match(body, /<a href="\/page\/alpha">alpha<\/a>.*docs\/guide\.md/s);
  assert.match(body, /<aside>.*href="#doc-first-steps"/s);
  assert.match((await ask('/page/alpha/README.md')).body, /href="\/page\/alpha\/docs\/guide\.md#doc-first-steps"/);
});

test('a folder lists its documents', async () => {
  const { documents } = await json<{ documents: { path: string }[] }>('/page/alpha/');
  assert.deepEqual(
    documents.map(({ path }) => path),
    ['alpha/README.md', 'alpha/docs/guide.md'],
  );
  assert.equal((await ask('/page')).status, 200);
});

test('addresses outside of the site are not found', async () => {
  for (const url of [
    ...[
      '/page/../outside.md',
      '/page/%2e%2e/outside.md',
      '/page/alpha/../../outside.md',
      '/page/..%2foutside.md',
      '/page/alpha\\..\\x',
    ],
    ...[
      '/page//etc/passwd',
      '/page/%00',
      '/page/%ff',
      '/page/alpha/out/outside.md',
      '/page/alpha/loop/alpha/README.md',
      '/page/notes.txt',
    ],
    ...['/pages', '/favicon.ico', '//', '*', '', 'http://evil.example/', '/page/__proto__', '/page/alp'],
  ]) {
    assert.equal((await ask(url)).status, 404, url);
  }
});

test('only reading methods are answered', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const answer = await ask('/', 'text/html', method);
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.allow, 'GET, HEAD');
  }
});

test('hostile documents get a harmless page under a strict policy', async () => {
  for (const path of ['hostile/README.md', 'hostile/bytes.md', 'hostile/long.md', 'hostile/deep.md']) {
    const { status, body, headers } = await ask(`/page/${path}`);
    assert.equal(status, 200, path);
    assert.ok(!/<script|<[^>]*(?:onerror=|javascript:)/i.test(body), path);
    assert.match(headers['content-security-policy'] ?? '', /default-src 'none'/);
    assert.ok(!/script-src|unsafe/.test(headers['content-security-policy'] ?? ''));
  }
});

test('a query comes back escaped', async () => {
  for (const query of ['"><script>alert(1)</script>', '/<script>alert(1)/', "' onfocus=alert(1) autofocus='"]) {
    const { body } = await ask(`/?q=${encodeURIComponent(query)}`);
    // What is left without the quoted values must not hold an attribute that the query brought in.
    assert.ok(!/<script|<[^>]* onfocus=/i.test(body.replace(/"[^"]*"/g, '')), query);
  }
});

test('the answer is JSON when that is preferred, else HTML', () => {
  for (const accept of [
    'application/json',
    'application/json, text/html;q=0.9',
    'text/html;q=0.1, application/json;q=0.2',
    'APPLICATION/JSON',
  ]) {
    assert.ok(prefersJson(accept), accept);
  }
  for (const accept of [
    '',
    '*/*',
    'text/html',
    'text/html, application/json',
    'application/json;q=0',
    'application/json;q=x',
    ',;,',
    'image/png',
  ]) {
    assert.ok(!prefersJson(accept), accept);
  }
});

test('every kind of answer exists as HTML and as JSON', async () => {
  for (const url of [
    '/',
    '/?q=alpha',
    '/?q=%2Fa%2F',
    '/page/alpha',
    '/page/alpha/README.md',
    '/nowhere',
    '/?q=%2F(%2F',
  ]) {
    const [page, data] = [await ask(url), await ask(url, 'application/json')];
    assert.equal(page.status, data.status, url);
    assert.match(page.body, /^<!doctype html>/);
    assert.doesNotThrow(() => JSON.parse(data.body), url);
    assert.equal(page.headers.vary, 'accept');
  }
});
