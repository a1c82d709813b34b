/** The page `/system` and the site under fire: what breaks, what the others notice, and who may ask for it. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { fault } from './fire-table.ts';
import { codes } from './fire.ts';
import type { Broken } from './fire.ts';
import { makeFixture, parser } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import { openSite } from './fixture-site.ts';
import type { OpenSite } from './fixture-site.ts';
import type { Picture } from './live.ts';
import type { Answer } from './site.ts';
import { breakKinds } from './walls/walls.ts';

let fixture: Fixture;
let open: OpenSite;

before(async () => {
  fixture = makeFixture();
  open = await openSite(fixture.folder, 'l3kernel');
});
after(async () => {
  await open?.close();
  fixture?.remove();
});

const ask = (url: string, method = 'GET', accept = 'application/json', from?: string): Promise<Answer> =>
  open.site.answer({ method, url, accept, from });

async function picture(): Promise<Picture> {
  return JSON.parse((await ask('/system')).body) as Picture;
}

test('the system is shown by its tasks and who calls whom', async () => {
  const { tasks, edges } = await picture();
  const parts = ['highlight', 'main', 'match', 'parse', 'stem', 'store'];
  for (const name of parts)
    assert.ok(
      tasks.some((task) => task.name === name),
      name,
    );
  const stem = edges.find(({ from, to }) => from === 'main' && to === 'stem');
  assert.equal(stem?.calls, open.walls.calls.stem);
  assert.ok(stem.mean_us > 0);
  const blocks = edges.find(({ from, to }) => from === 'parse' && to === 'highlight');
  assert.equal(blocks?.calls, open.walls.calls.highlight);
  const page = await ask('/system', 'GET', 'text/html');
  for (const name of parts) assert.match(page.body, new RegExp(`<th scope="row">${name}</th>`));
  assert.match(page.headers['content-security-policy'] ?? '', /script-src 'self';/);
});

for (const kind of breakKinds) {
  test(`break ${kind} ends in its error while the others go on`, { timeout: 30_000 }, async () => {
    const answer = await ask(`/system/break/${kind}`, 'POST');
    assert.equal(answer.status, 200, answer.body);
    const outcome = JSON.parse(answer.body) as Broken;
    assert.equal(fault(outcome), undefined);
    assert.equal(outcome.code, codes[kind]);
    assert.ok(outcome.others_answered > 0);
    assert.deepEqual((await picture()).broken.at(-1), outcome);
  });
}

test('a parser that was replaced knows where links lead', async () => {
  const page = await open.walls.inside?.render('alpha/README.md', '[x](docs/guide.md)');
  assert.match(page?.html ?? '', /href="\/page\/alpha\/docs\/guide\.md"/);
});

test(
  'the engine is a task of the parser, and ends with it',
  { skip: parser === 'worker' && 'it has none' },
  async () => {
    await open.walls.inside?.render('alpha/README.md', 'x');
    const { tasks, edges } = await picture();
    const engines = tasks.filter(({ kind }) => kind === 'wasm');
    assert.deepEqual(
      engines.map(({ name }) => name),
      ['md4w-small'],
    );
    assert.ok(edges.some(({ from, to, calls }) => from === 'parse' && to === 'md4w-small' && calls > 0));
  },
);

test('restarts are counted', async () => {
  const { tasks } = await picture();
  const restarts = (name: string): number => tasks.find((task) => task.name === name)?.restarts ?? -1;
  assert.ok(restarts('parse') >= 2);
  assert.ok(restarts('highlight') >= 2);
  assert.equal(restarts('stem'), 0);
});

test('breaks that come together happen one after the other', { timeout: 30_000 }, async () => {
  const answers = await Promise.all(['throw', 'kill', 'throw'].map((kind) => ask(`/system/break/${kind}`, 'POST')));
  const outcomes = answers.map(({ body }) => JSON.parse(body) as Broken);
  assert.deepEqual(outcomes.map(fault), [undefined, undefined, undefined]);
});

test('only a page of this site may break something', async () => {
  for (const from of ['cross-site', 'same-site'])
    assert.equal((await ask('/system/break/throw', 'POST', 'application/json', from)).status, 403, from);
  assert.equal((await ask('/system/break/throw', 'POST', 'application/json', 'same-origin')).status, 200);
});

test('a reader is sent back to the page', async () => {
  const { status, headers } = await ask('/system/break/throw', 'POST', 'text/html');
  assert.deepEqual([status, headers.location], [303, '/system#breaks']);
});

test('wrong requests are refused with a sentence', async () => {
  for (const [method, url, status] of [
    ['GET', '/system/break/throw', 405],
    ['DELETE', '/system/break/throw', 405],
    ['POST', '/system', 405],
    ['POST', '/system/events', 405],
    ['POST', '/system/break/', 404],
    ['POST', '/system/break/toString', 404],
    ['POST', '/system/break/throw/', 404],
    ['GET', '/system/', 404],
    ['GET', '/system/page', 404],
    ['GET', '/system/../style.css', 404],
    ['GET', '/system/constructor', 404],
    ['GET', '/systems', 404],
  ] as const) {
    const answer = await ask(url, method);
    assert.equal(answer.status, status, `${method} ${url}`);
    assert.match((JSON.parse(answer.body) as { error: { message: string } }).error.message, /\.$/);
    if (status === 405) assert.ok(answer.headers.allow);
  }
});

test('pages of documents allow no script', async () => {
  const { headers } = await ask('/page/alpha/README.md', 'GET', 'text/html');
  assert.doesNotMatch(headers['content-security-policy'] ?? '', /script-src/);
});

test('the scripts are served without their maps', async () => {
  for (const path of ['/system/page.js', '/system/dagre.js']) {
    const { status, headers, body } = await ask(path);
    assert.equal(status, 200, path);
    assert.match(headers['content-type'] ?? '', /^text\/javascript/);
    assert.doesNotMatch(body, /sourceMappingURL/);
  }
});

test('the picture comes once a second over the socket', { timeout: 20_000 }, async () => {
  const pictures: Picture[] = [];
  const began_ms = performance.now();
  await new Promise<void>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: open.port, path: '/system/events' }, (response) => {
      assert.match(response.headers['content-type'] ?? '', /^text\/event-stream/);
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events)
          if (event.startsWith('data: ')) pictures.push(JSON.parse(event.slice(6)) as Picture);
        if (pictures.length >= 3) sent.destroy();
      });
      response.on('close', resolve);
    });
    sent.on('error', reject);
    sent.end();
  });
  assert.ok(pictures.length >= 3);
  assert.ok(performance.now() - began_ms > 1500);
  assert.ok(pictures.every(({ tasks }) => tasks.length >= 6));
});

test('watchers have a limit, and those who left make room', { timeout: 20_000 }, async () => {
  const streams = [];
  for (let watcher = 0; watcher < 32; watcher++) streams.push((await ask('/system/events')).stream?.(() => {}));
  assert.equal((await ask('/system/events')).status, 503);
  for (const stop of streams) stop?.();
  assert.equal((await ask('/system/events')).status, 200);
});
