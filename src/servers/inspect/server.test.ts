/** The socket: who may use it, what it answers, and what becomes of sockets whose systems have ended. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, beforeEach, test } from 'node:test';
import { idOf, makeTask, makeThread, root } from '../../../test/support/kernel.ts';
import { poke, store } from '../../platform/atomics.ts';
import { CALL, TAG_METHOD_SHIFT } from '../../layout/message.ts';
import { TCB_STATE, TCB_TAG, waiting } from '../../layout/tcb.ts';
import { directory, listAddresses } from './address.ts';
import { findSystems } from './api.ts';
import { type OpenInspection, openInspection } from './server.ts';

const places: string[] = [];
let opened: OpenInspection[] = [];
const NONE = { systems: [], silent: [] };

beforeEach(() => {
  places.push(mkdtempSync(join(tmpdir(), 'l3-socket-')));
  process.env.TMPDIR = places.at(-1);
});

afterEach(() => {
  for (const inspection of opened) inspection.close();
  opened = [];
  delete process.env.TMPDIR;
});

after(() => places.forEach((place) => rmSync(place, { recursive: true })));

function open(name = 'demo', methodName?: (task: number, method: number) => string | undefined): string {
  const inspection = openInspection({ name, ...(methodName === undefined ? {} : { methodName }) });
  opened.push(inspection);
  assert.ok(inspection.path !== null);
  return inspection.path;
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test('only its owner may enter the directory and use the socket', () => {
  const before = process.umask(0);
  try {
    const path = open();
    assert.equal(modeOf(path), '600');
    assert.equal(modeOf(directory()), '700');
  } finally {
    process.umask(before);
  }
});

test('a directory that others may enter, or a link to one, is not used', async () => {
  mkdirSync(directory());
  chmodSync(directory(), 0o755);
  assert.equal(openInspection({ name: 'demo' }).path, null);
  assert.throws(listAddresses, /others may not enter/);
  rmSync(directory(), { recursive: true });
  const elsewhere = join(places.at(-1)!, 'elsewhere');
  mkdirSync(elsewhere, { mode: 0o700 });
  symlinkSync(elsewhere, directory());
  assert.equal(openInspection({ name: 'demo' }).path, null);
  await assert.rejects(findSystems(), /others may not enter/);
  assert.deepEqual(readdirSync(elsewhere), []);
});

test('a system is found and answers again and again', async () => {
  open('my program');
  const [system, ...others] = (await findSystems()).systems;
  assert.deepEqual(others, []);
  assert.deepEqual(system!.first.system, { name: 'my program', pid: process.pid, node: process.version });
  assert.equal(system!.first.tasks[0]!.id, root.id);
  const task = makeTask(root.id);
  assert.equal((await system!.ask()).tasks.length, 2);
  assert.ok((await system!.ask()).tasks.some(({ id }) => id === task.id));
  system!.close();
});

test('methods have the names that the supervisor knows', async () => {
  const [a, b, c] = [makeThread(), makeThread(), makeThread()];
  for (const [tcb, method] of [
    [a, 3],
    [c, 4],
  ] as const) {
    store(tcb + TCB_STATE, waiting(idOf(tcb), idOf(b)));
    poke(tcb + TCB_TAG, CALL | (method << TAG_METHOD_SHIFT));
  }
  open('demo', (task, method) => (task === root.id && method === 3 ? 'add' : undefined));
  const [system] = (await findSystems()).systems;
  assert.deepEqual(system!.first.methods, { [idOf(a)]: 'add' });
  system!.close();
});

test('who asks for anything else is told so, and who asks without end is cut off', async () => {
  const path = open();
  const socket = connect(path);
  socket.write('secrets\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.deepEqual(JSON.parse(answer.toString()), { error: 'there is no such request' });
  const endless = connect(path);
  endless.on('error', () => {});
  endless.write('x'.repeat(1000));
  await once(endless, 'close');
  const requests = connect(path);
  requests.write('snapshot\nsnapshot\nsnap');
  let text = '';
  requests.on('data', (more: Buffer) => (text += more.toString()));
  while (text.split('\n').length < 3) await once(requests, 'data');
  requests.write('shot\n');
  while (text.split('\n').length < 4) await once(requests, 'data');
  requests.destroy();
});

test('closing removes the file and ends the connections', async () => {
  const path = open();
  const [system] = (await findSystems()).systems;
  opened[0]!.close();
  assert.equal(existsSync(path), false);
  await assert.rejects(system!.ask(), /ended|EPIPE|ECONNRESET/);
  assert.deepEqual(await findSystems(), NONE);
});

test('sockets of processes that have ended are removed; other files and fresh sockets are left', async () => {
  const path = open();
  // No process has this id: it is above what the kernel gives out.
  const dead = join(directory(), '4194305.1.sock');
  writeFileSync(dead, '');
  const other = join(directory(), 'notes.txt');
  writeFileSync(other, '');
  const [system, ...others] = (await findSystems()).systems;
  assert.deepEqual(others, []);
  system!.close();
  assert.deepEqual([existsSync(dead), existsSync(other), existsSync(path)], [false, true, true]);
});

test('a socket at which nobody listens is left while it is fresh, removed when it is not, and overwritten', async () => {
  const path = open();
  opened[0]!.close();
  opened = [];
  writeFileSync(path, '');
  assert.deepEqual(await findSystems(), NONE);
  assert.equal(existsSync(path), true);
  assert.equal(open(), path);
  const [system] = (await findSystems()).systems;
  system!.close();
  opened[0]!.close();
  opened = [];
  writeFileSync(path, '');
  await sleep(2100);
  assert.deepEqual(await findSystems(), NONE);
  assert.equal(existsSync(path), false);
});

test('without a temporary directory, or with one too deep for a socket, the system goes on unseen', async () => {
  process.env.TMPDIR = join(places.at(-1)!, 'missing');
  assert.equal(openInspection({ name: 'demo' }).path, null);
  assert.equal(existsSync(process.env.TMPDIR), false);
  assert.deepEqual(await findSystems(), NONE);
  process.env.TMPDIR = join(places.at(-1)!, 'x'.repeat(120));
  mkdirSync(process.env.TMPDIR);
  assert.equal(openInspection({ name: 'demo' }).path, null);
  assert.deepEqual(await findSystems(), NONE);
});
