/**
 * `l3kernel/sync-message-port`: messages in order, whichever way each one goes, and an end of every wait.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeProject, type Project } from './project.ts';

const files = {
  'worker.cjs': `
const { workerData } = require('node:worker_threads');
const { SyncMessagePort } = require('sync-message-port');
const port = new SyncMessagePort(workerData.port);
const modes = {
  echo() { for (;;) { const m = port.receiveMessage({ closedValue: 'END' }); if (m === 'END') return; port.postMessage(m, m instanceof ArrayBuffer ? [m] : undefined); } },
  listen() { port.on('message', (m) => port.postMessage(['heard', m])); },
  exit() { port.receiveMessage(); process.exit(3); },
  throw() { throw new Error('at the start'); },
  heap() { for (const all = []; ; ) all.push(new Array(1e6).fill(Math.random())); },
  later() { setTimeout(() => port.postMessage('hello'), 300); },
  close() { port.postMessage(1); port.postMessage({ two: 2 }); port.close(); },
};
modes[workerData.mode]();
`,
  'start.cjs': `
const { Worker } = require('node:worker_threads');
const { SyncMessagePort } = require('sync-message-port');
exports.start = (mode) => {
  const channel = SyncMessagePort.createChannel();
  const port = new SyncMessagePort(channel.port1);
  const worker = new Worker(require.resolve('./worker.cjs'), {
    workerData: { port: channel.port2, mode }, transferList: [channel.port2], resourceLimits: { maxOldGenerationSizeMb: 40 },
  });
  worker.on('error', () => {});
  worker.unref();
  return port;
};
`,
  'values.mjs': `
import assert from 'node:assert/strict';
import { MessageChannel } from 'node:worker_threads';
import { SyncMessagePort, TimeoutException } from 'sync-message-port';
import { start } from './start.cjs';
const port = start('echo');
const echo = (value, transfers) => { port.postMessage(value, transfers); return port.receiveMessage(); };
for (const value of [1, 'text', null, undefined, true, -0, 1n, { a: [1, new Map([[1, 2]])] }, new Uint8Array([1]), new Date(0), 'x'.repeat(200_000), new Uint8Array(1_000_000)])
  assert.deepEqual(echo(value), value);
// Every length, so that the ring wraps at every place; by turns short, long, and by the port.
for (let round = 0; round < 3; round++)
  for (let i = 0; i < 2000; i++) assert.equal(echo('y'.repeat(i)).length, i);
for (let i = 0; i < 5000; i++) port.postMessage({ i, text: 'z'.repeat((i * 37) % 700) });
for (let i = 0; i < 5000; i++) { const m = port.receiveMessage(); assert.deepEqual([m.i, m.text.length], [i, (i * 37) % 700]); }
const buffer = new ArrayBuffer(8);
assert.equal(echo(buffer, [buffer]).byteLength, 8);
assert.equal(buffer.byteLength, 0);
assert.ok(echo(new SharedArrayBuffer(4)) instanceof SharedArrayBuffer);
assert.throws(() => port.postMessage(() => 1), { name: 'DataCloneError' });
assert.equal(echo('after the refusal'), 'after the refusal');
assert.equal(port.receiveMessageIfAvailable(), undefined);
assert.throws(() => port.receiveMessage({ timeout: 30 }), TimeoutException);
assert.equal(port.receiveMessage({ timeout: 30, timeoutValue: 'none' }), 'none');
port.close();
assert.throws(() => port.receiveMessage(), /channel is closed/);
assert.equal(port.receiveMessage({ closedValue: 'closed' }), 'closed');
assert.equal(port.receiveMessageIfAvailable(), undefined);
port.postMessage(1);
assert.throws(() => new SyncMessagePort(new MessageChannel().port1), /must be passed a port from/);
console.log('ok');
`,
  'events.mjs': `
import assert from 'node:assert/strict';
import { SyncMessagePort } from 'sync-message-port';
import { start } from './start.cjs';
const port = start('listen');
const heard = [];
await new Promise((resolve) => {
  port.on('message', (m) => { if (heard.push(m[1]) === 300) resolve(); });
  for (let i = 0; i < 300; i++) port.postMessage(i % 10 === 0 ? 'x'.repeat(100_000) : i);
});
assert.ok(heard.every((m, i) => (i % 10 === 0 ? m.length === 100_000 : m === i)));
port.removeAllListeners('message');
port.postMessage('in place');
assert.deepEqual(port.receiveMessage(), ['heard', 'in place']);
const once = new Promise((resolve) => port.once('message', resolve));
port.postMessage(9);
assert.deepEqual(await once, ['heard', 9]);
const channel = SyncMessagePort.createChannel();
const [a, b] = [new SyncMessagePort(channel.port1), new SyncMessagePort(channel.port2)];
a.postMessage(1); a.postMessage(2);
assert.deepEqual([b.receiveMessage(), b.receiveMessageIfAvailable(), b.receiveMessageIfAvailable()], [1, { message: 2 }, undefined]);
a.postMessage(3);
assert.equal(await new Promise((resolve) => b.on('message', resolve)), 3, 'what came before anybody listened');
const closed = new Promise((resolve) => a.on('close', resolve));
b.close();
const alive = setInterval(() => {}, 1000);
await closed;
clearInterval(alive);
port.close();
console.log('ok');
`,
  'ends.mjs': `
import { start } from './start.cjs';
const port = start(process.argv[2]);
port.postMessage(0);
try { for (;;) console.log(port.receiveMessage()); } catch (error) { console.log(error.message); }
`,
};

let project: Project;
before(() => {
  project = makeProject(files);
});
after(() => project.remove());

for (const name of ['values', 'events']) {
  test(`${name} arrive in order`, () => {
    const { stdout, stderr, status } = project.run(`${name}.mjs`);
    assert.equal(stdout, 'ok\n', stderr);
    assert.equal(status, 0);
  });
}

const CLOSED = "The SyncMessagePort's channel is closed.\n";
const ends: Record<string, string> = {
  close: `1\n{ two: 2 }\n${CLOSED}`,
  exit: CLOSED,
  throw: CLOSED,
  heap: CLOSED,
};
for (const [mode, expected] of Object.entries(ends)) {
  test(`a wait ends when the other side ends: ${mode}`, () => {
    const { stdout, stderr } = project.run('ends.mjs', [mode]);
    assert.equal(stdout, expected, stderr);
  });
}
