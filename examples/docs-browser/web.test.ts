/** The site on its socket: requests that are no HTTP, bodies nobody asked for, and clients that go away. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { makeFixture } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import { openSite } from './fixture-site.ts';
import type { OpenSite } from './fixture-site.ts';
import { PortError, takePort } from './web.ts';

let fixture: Fixture;
let open: OpenSite;

before(async () => {
  fixture = makeFixture();
  open = await openSite(fixture.folder, 'direct');
});
after(async () => {
  await open?.close();
  fixture?.remove();
});

/** Sends bytes and returns everything that comes back until the other side closes or `ms` are over. */
function exchange(bytes: string, ms = 3000): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(open.port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
  });
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

async function assertAlive(): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${open.port}/?q=alpha`);
  assert.equal(response.status, 200);
  await response.text();
}

test('what is no request is refused, and the site goes on', async () => {
  assert.equal(statusOf(await exchange('no request at all\r\n\r\n')), 400);
  assert.equal(statusOf(await exchange('GET / HTTP/1.1\r\n\r\n')), 400);
  assert.equal(statusOf(await exchange(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`)), 431);
  await assertAlive();
});

test('addresses in odd forms get an answer', async () => {
  for (const [target, status] of [
    ['http://other.example/', 404],
    ['*', 404],
    ['//', 404],
    ['/?', 200],
    ['/?q=%', 400],
    ['/page/%E0%A4%A', 404],
    [`/?q=${'%F0%9F%92%A9'.repeat(60)}`, 400],
    [`/${'a'.repeat(5000)}`, 414],
  ] as const) {
    const answer = await exchange(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.equal(statusOf(answer), status, target.slice(0, 60));
  }
});

test('a body that nobody asked for is no harm', async () => {
  for (const path of ['/', '/system/break/exit', '/system']) {
    const body = 'x'.repeat(1_000_000);
    const response = await fetch(`http://127.0.0.1:${open.port}${path}`, { method: 'POST', body });
    assert.equal(response.status, path === '/system/break/exit' ? 409 : 405, path);
    await response.text();
  }
  await assertAlive();
});

test('clients that go away in the middle leave nothing behind', async () => {
  const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  await Promise.all(Array.from({ length: 40 }, () => exchange(request('/system/events'), 30)));
  await Promise.all(Array.from({ length: 40 }, () => exchange(request('/?q=%2Fa%2F'), 5)));
  await assertAlive();
  // Of the streams that were left each has made room again.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const answers = await Promise.all(Array.from({ length: 30 }, () => exchange(request('/system/events'), 300)));
  assert.deepEqual([...new Set(answers.map(statusOf))], [200]);
});

test('HEAD of the stream ends at once', async () => {
  const answer = await exchange('HEAD /system/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.equal(statusOf(answer), 200);
  assert.match(answer, /text\/event-stream/);
});

test('walls that would not hold are not broken', async () => {
  const answer = await open.site.answer({ method: 'GET', url: '/system', accept: 'text/html' });
  assert.equal(answer.status, 200);
  assert.match(answer.body, /cannot be looked into/);
  assert.doesNotMatch(answer.body, /action="\/system\/break/);
});

test('walls that would not hold run no rules', async () => {
  const url = `http://127.0.0.1:${open.port}/rule`;
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ rule: 'export default () => 1' }) });
  assert.equal(response.status, 409);
  assert.match(await response.text(), /start with --walls l3kernel/);
  assert.match(await (await fetch(url)).text(), /run no rules/);
});

test('a second server on the port is told so', async () => {
  await assert.rejects(takePort(open.port), (error: Error) => {
    assert.ok(error instanceof PortError);
    assert.match(error.message, /is in use; set PORT/);
    return true;
  });
  await assertAlive();
});
