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
  'bells.mjs': `
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { SyncMessagePort } from 'sync-message-port';
const LONG = 'x'.repeat(100_000);
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
function makePorts() {
  const channel = SyncMessagePort.createChannel();
  return [new SyncMessagePort(channel.port1), new SyncMessagePort(channel.port2)];
}
const cases = {
  async taken_by_a_long_message() {
    const [a, b] = makePorts();
    const heard = [];
    b.on('message', (m) => { heard.push(m); if (m === 'first') { a.postMessage('second'); a.postMessage(LONG); } });
    a.postMessage('first');
    await turn();
    a.postMessage('last');
    await turn();
    assert.deepEqual(heard, ['first', 'second', LONG, 'last']);
    a.close();
  },
  async taken_by_a_blocking_receive() {
    const [a, b] = makePorts();
    b.on('message', () => {});
    a.postMessage(1);
    b.removeAllListeners('message');
    assert.equal(b.receiveMessage(), 1);
    assert.equal(b.receiveMessage({ timeout: 1, timeoutValue: 'none' }), 'none');
    const next = once(b, 'message');
    await turn();
    a.postMessage(2);
    assert.deepEqual(await next, [2]);
    a.close();
  },
  async taken_beside_a_listener() {
    const [a, b] = makePorts();
    const heard = [];
    b.on('message', (m) => heard.push(m));
    for (const m of [1, LONG, 3, 4]) a.postMessage(m);
    assert.deepEqual([b.receiveMessage(), b.receiveMessageIfAvailable()], [1, { message: LONG }]);
    await turn();
    assert.deepEqual(heard, [3, 4]);
    a.close();
  },
  async errors_of_listeners() {
    const [a, b] = makePorts();
    const seen = [];
    process.on('uncaughtException', (error) => seen.push(error));
    b.on('message', (m) => { throw m; });
    b.on('close', () => seen.push('close'));
    for (const m of [1, LONG, 3]) a.postMessage(m);
    await turn();
    assert.deepEqual(seen, [1, LONG, 3]);
    a.postMessage(4);
    a.close();
    await turn();
    assert.deepEqual(seen, [1, LONG, 3, 4, 'close']);
  },
  async promises_between() {
    const [a, b] = makePorts();
    const seen = [];
    b.on('message', async (m) => { seen.push(m); await null; seen.push(-m); });
    for (const m of [1, 2, 3]) a.postMessage(m);
    await turn();
    assert.deepEqual(seen, [1, -1, 2, -2, 3, -3]);
    a.close();
  },
  async no_end_of_messages() {
    const [a, b] = makePorts();
    let isOver = false;
    b.on('message', () => { if (!isOver) a.postMessage(1); });
    a.postMessage(1);
    await turn();
    isOver = true;
    a.close();
  },
  async before_the_end() {
    const [a, b] = makePorts();
    let count = 0;
    b.on('message', () => count++);
    for (let i = 0; i < 5000; i++) a.postMessage(i % 1000 === 0 ? LONG : i);
    a.close();
    await once(b, 'close');
    assert.equal(count, 5000);
  },
};
await cases[process.argv[2]]();
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

for (const [name, title] of Object.entries({
  taken_by_a_long_message: 'a message is heard after one that was too long for the ring',
  taken_by_a_blocking_receive: 'a message is heard after a blocking receive',
  taken_beside_a_listener: 'a receive beside a listener leaves it the rest',
  errors_of_listeners: 'a listener that throws gets the messages after',
  promises_between: 'promises settle between two messages',
  no_end_of_messages: 'the loop turns while messages come without end',
  before_the_end: 'all messages are heard before the end',
})) {
  test(title, () => {
    const { stdout, stderr, status } = project.run('bells.mjs', [name]);
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
