/**
 * The same call made in other ways, as the texts of programs, for they import packages that are installed beside them.
 * A program is given a number of bytes, blocks and milliseconds a block, and prints its samples as JSON: nanoseconds of
 * a round trip of so many bytes each way; 0 bytes: two numbers there, their sum back. Both sides read a byte of a page.
 */

const MEASURE = `
const [size, blocks, block_ms] = process.argv.slice(2).map(Number);
const now = () => performance.now();
const payload = new Uint8Array(size).fill(7);
let sink = 0;
const touch = (bytes) => { for (let i = 0; i < bytes.length; i += 4096) sink ^= bytes[i]; return bytes; };
const check = (value) => {
  if (size === 0 ? value !== 3 : value.length !== size) throw new Error('a wrong answer: ' + value);
  if (size > 0) touch(value);
};
const print = (samples) => { console.log(JSON.stringify(samples)); process.exit(0); };
function measureSync(once) {
  const block = (ms) => {
    let calls = 0;
    const began = now();
    let ended = began;
    do { check(once()); calls++; ended = now(); } while (ended - began < ms);
    return ((ended - began) / calls) * 1e6;
  };
  block(3 * block_ms);
  print(Array.from({ length: blocks }, () => block(block_ms)));
}
async function measureAsync(once) {
  const block = async (ms) => {
    let calls = 0;
    const began = now();
    let ended = began;
    do { check(await once()); calls++; ended = now(); } while (ended - began < ms);
    return ((ended - began) / calls) * 1e6;
  };
  await block(3 * block_ms);
  const samples = [];
  for (let i = 0; i < blocks; i++) samples.push(await block(block_ms));
  print(samples);
}
`;

/** What the far side of most programs does with a message. */
const ANSWER = `
let sink = 0;
const touch = (bytes) => { for (let i = 0; i < bytes.length; i += 4096) sink ^= bytes[i]; return bytes; };
const answer = (x) => (x instanceof Uint8Array ? touch(x) : x.a + x.b);
`;

const WORKER = `import { Worker, MessageChannel, receiveMessageOnPort } from 'node:worker_threads';\n${MEASURE}`;
const MESSAGE = 'const message = () => (size === 0 ? { a: 1, b: 2 } : payload);';

const ours = (call: string): string => `
import { boot } from 'l3kernel';
${MEASURE}
const system = await boot();
const task = await system.spawn(new URL('./l3kernel-task.mjs', import.meta.url));
${call}
`;

const OURS = {
  'l3kernel.sync.mjs': ours(`
const { add, echo } = task.sync;
measureSync(size === 0 ? () => add(1, 2) : () => echo(payload));
`),
  'l3kernel.async.mjs': ours(`
const { add, echo } = task.async;
await measureAsync(size === 0 ? () => add(1, 2) : () => echo(payload));
`),
  'l3kernel-task.mjs': `${ANSWER}\nexport const add = (a, b) => a + b;\nexport const echo = touch;\n`,
};

const TRANSPORTS = {
  'postMessage.mjs': `${WORKER}
${MESSAGE}
const worker = new Worker(new URL('./postMessage-worker.mjs', import.meta.url));
await measureAsync(() => new Promise((resolve) => { worker.once('message', resolve); worker.postMessage(message()); }));
`,
  'postMessage-worker.mjs': `
import { parentPort } from 'node:worker_threads';
${ANSWER}
parentPort.on('message', (x) => parentPort.postMessage(answer(x)));
`,
  'postMessage.transfer.mjs': `${WORKER}
const worker = new Worker(new URL('./postMessage.transfer-worker.mjs', import.meta.url));
let own = payload;
await measureAsync(() => new Promise((resolve) => {
  worker.once('message', (x) => { if (size > 0) own = x; resolve(x); });
  if (size === 0) worker.postMessage({ a: 1, b: 2 });
  else worker.postMessage(own, [own.buffer]);
}));
`,
  'postMessage.transfer-worker.mjs': `
import { parentPort } from 'node:worker_threads';
${ANSWER}
parentPort.on('message', (x) => { const y = answer(x); parentPort.postMessage(y, y instanceof Uint8Array ? [y.buffer] : []); });
`,
  'receiveMessageOnPort.mjs': `${WORKER}
${MESSAGE}
const { port1, port2 } = new MessageChannel();
const bell = new Int32Array(new SharedArrayBuffer(4));
new Worker(new URL('./receiveMessageOnPort-worker.mjs', import.meta.url), { workerData: { port: port2, bell }, transferList: [port2] });
let turn = 0;
measureSync(() => {
  port1.postMessage(message());
  Atomics.wait(bell, 0, turn++);
  return receiveMessageOnPort(port1).message;
});
`,
  'receiveMessageOnPort-worker.mjs': `
import { workerData } from 'node:worker_threads';
${ANSWER}
const { port, bell } = workerData;
port.on('message', (x) => { port.postMessage(answer(x)); Atomics.add(bell, 0, 1); Atomics.notify(bell, 0); });
`,
  'SharedArrayBuffer.mjs': `${WORKER}
const bells = new Int32Array(new SharedArrayBuffer(256));
const there = new Uint8Array(new SharedArrayBuffer(Math.max(16, size)));
const back = new Uint8Array(new SharedArrayBuffer(Math.max(16, size)));
new Worker(new URL('./SharedArrayBuffer-worker.mjs', import.meta.url), { workerData: { bells, there, back, size } });
let turn = 0;
measureSync(() => {
  if (size === 0) { there[0] = 1; there[1] = 2; } else there.set(payload);
  Atomics.store(bells, 0, ++turn);
  Atomics.notify(bells, 0);
  Atomics.wait(bells, 32, turn - 1);
  return size === 0 ? back[0] : back.slice();
});
`,
  'SharedArrayBuffer-worker.mjs': `
import { workerData } from 'node:worker_threads';
${ANSWER}
const { bells, there, back, size } = workerData;
for (let turn = 0; ; turn++) {
  Atomics.wait(bells, 0, turn);
  if (size === 0) back[0] = there[0] + there[1];
  else back.set(touch(there.slice()));
  Atomics.store(bells, 32, turn + 1);
  Atomics.notify(bells, 32);
}
`,
  'pipe.mjs': `
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
${MEASURE}
const bytes = size === 0 ? new Uint8Array([1, 2]) : payload;
const child = spawn(process.execPath, [fileURLToPath(new URL('./pipe-child.mjs', import.meta.url)), String(bytes.length)], { stdio: ['pipe', 'pipe', 'inherit'] });
let parts = [], got = 0, resolve;
child.stdout.on('data', (chunk) => {
  parts.push(chunk);
  got += chunk.length;
  if (got < bytes.length) return;
  const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  parts = []; got = 0;
  resolve(size === 0 ? whole[0] : whole);
});
await measureAsync(() => new Promise((r) => { resolve = r; child.stdin.write(bytes); }));
`,
  'pipe-child.mjs': `
${ANSWER}
const size = Number(process.argv[2]);
let parts = [], got = 0;
process.stdin.on('data', (chunk) => {
  parts.push(chunk);
  got += chunk.length;
  if (got < size) return;
  const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  parts = []; got = 0;
  process.stdout.write(size === 2 ? new Uint8Array([whole[0] + whole[1], 0]) : touch(whole));
});
`,
  'socket.mjs': `
import { connect } from 'node:net';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
${MEASURE}
const bytes = size === 0 ? new Uint8Array([1, 2]) : payload;
const path = join(tmpdir(), 'l3-bench-' + process.pid + '.sock');
const child = spawn(process.execPath, [fileURLToPath(new URL('./socket-child.mjs', import.meta.url)), String(bytes.length), path], { stdio: ['ignore', 'pipe', 'inherit'] });
await new Promise((r) => child.stdout.once('data', r));
const socket = connect(path);
let parts = [], got = 0, resolve;
socket.on('data', (chunk) => {
  parts.push(chunk);
  got += chunk.length;
  if (got < bytes.length) return;
  const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  parts = []; got = 0;
  resolve(size === 0 ? whole[0] : whole);
});
process.on('exit', () => child.kill());
await measureAsync(() => new Promise((r) => { resolve = r; socket.write(bytes); }));
`,
  'socket-child.mjs': `
import { createServer } from 'node:net';
${ANSWER}
const size = Number(process.argv[2]);
createServer((socket) => {
  let parts = [], got = 0;
  socket.on('data', (chunk) => {
    parts.push(chunk);
    got += chunk.length;
    if (got < size) return;
    const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    parts = []; got = 0;
    socket.write(size === 2 ? new Uint8Array([whole[0] + whole[1], 0]) : touch(whole));
  });
  socket.on('close', () => process.exit());
}).listen(process.argv[3], () => console.log('ready'));
`,
  'child_process.mjs': `
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
${MEASURE}
${MESSAGE}
const child = fork(fileURLToPath(new URL('./child_process-child.mjs', import.meta.url)), { serialization: 'advanced' });
await measureAsync(() => new Promise((resolve) => { child.once('message', resolve); child.send(message()); }));
`,
  'child_process.json.mjs': `
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
${MEASURE}
const text = 'x'.repeat(size);
const child = fork(fileURLToPath(new URL('./child_process-child.mjs', import.meta.url)));
await measureAsync(() => new Promise((resolve) => {
  child.once('message', (x) => resolve(size === 0 ? x : { length: x.length }));
  child.send(size === 0 ? { a: 1, b: 2 } : text);
}));
`,
  'child_process-child.mjs': `
${ANSWER}
process.on('message', (x) => process.send(typeof x === 'string' ? x : answer(x)));
process.on('disconnect', () => process.exit());
`,
};

const POOL_TASK = `${ANSWER}\nexport default answer;\n`;

const PACKAGES = {
  'synckit.mjs': `
import { createSyncFn } from 'synckit';
${MEASURE}
${MESSAGE}
const call = createSyncFn(new URL('./synckit-worker.mjs', import.meta.url));
measureSync(() => call(message()));
`,
  'synckit-worker.mjs': `import { runAsWorker } from 'synckit';\n${ANSWER}\nrunAsWorker(async (x) => answer(x));\n`,
  'make-synchronized.mjs': `
import makeSynchronized from 'make-synchronized';
${MEASURE}
${MESSAGE}
const { call } = makeSynchronized(new URL('./make-synchronized-worker.mjs', import.meta.url));
measureSync(() => call(message()));
`,
  'make-synchronized-worker.mjs': `${ANSWER}\nexport const call = answer;\n`,
  'sync-message-port.mjs': `
import { Worker } from 'node:worker_threads';
import { SyncMessagePort } from 'sync-message-port';
${MEASURE}
${MESSAGE}
const channel = SyncMessagePort.createChannel();
const port = new SyncMessagePort(channel.port1);
new Worker(new URL('./sync-message-port-worker.mjs', import.meta.url), { workerData: channel.port2, transferList: [channel.port2] });
measureSync(() => { port.postMessage(message()); return port.receiveMessage(); });
`,
  'sync-message-port-worker.mjs': `
import { workerData } from 'node:worker_threads';
import { SyncMessagePort } from 'sync-message-port';
${ANSWER}
const port = new SyncMessagePort(workerData);
for (;;) port.postMessage(answer(port.receiveMessage()));
`,
  'comlink.mjs': `
import { Worker } from 'node:worker_threads';
import { wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
${MEASURE}
${MESSAGE}
const { call } = wrap(nodeEndpoint(new Worker(new URL('./comlink-worker.mjs', import.meta.url))));
await measureAsync(() => call(message()));
`,
  'comlink-worker.mjs': `
import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
${ANSWER}
expose({ call: answer }, nodeEndpoint(parentPort));
`,
  'piscina.mjs': `
import { Piscina } from 'piscina';
${MEASURE}
${MESSAGE}
const pool = new Piscina({ filename: new URL('./pool-task.mjs', import.meta.url).href, minThreads: 1, maxThreads: 1, atomics: 'disabled' });
await measureAsync(() => pool.run(message()));
`,
  'piscina.atomics.mjs': `
import { Piscina } from 'piscina';
${MEASURE}
${MESSAGE}
const pool = new Piscina({ filename: new URL('./pool-task.mjs', import.meta.url).href, minThreads: 1, maxThreads: 1, atomics: 'sync' });
await measureAsync(() => pool.run(message()));
`,
  'tinypool.mjs': `
import Tinypool from 'tinypool';
${MEASURE}
${MESSAGE}
const pool = new Tinypool({ filename: new URL('./pool-task.mjs', import.meta.url).href, minThreads: 1, maxThreads: 1 });
await measureAsync(() => pool.run(message()));
`,
  'pool-task.mjs': POOL_TASK,
  'workerpool.mjs': `
import workerpool from 'workerpool';
import { fileURLToPath } from 'node:url';
${MEASURE}
${MESSAGE}
const pool = workerpool.pool(fileURLToPath(new URL('./workerpool-worker.mjs', import.meta.url)), { maxWorkers: 1, workerType: 'thread' });
await measureAsync(() => pool.exec('call', [message()]));
`,
  'workerpool-worker.mjs': `import workerpool from 'workerpool';\n${ANSWER}\nworkerpool.worker({ call: answer });\n`,
  'birpc.mjs': `
import { Worker } from 'node:worker_threads';
import { createBirpc } from 'birpc';
${MEASURE}
${MESSAGE}
const worker = new Worker(new URL('./birpc-worker.mjs', import.meta.url));
const rpc = createBirpc({}, { post: (data) => worker.postMessage(data), on: (listener) => worker.on('message', listener) });
await measureAsync(() => (rpc.$call ?? ((name, x) => rpc[name](x)))('call', message()));
`,
  'birpc-worker.mjs': `
import { parentPort } from 'node:worker_threads';
import { createBirpc } from 'birpc';
${ANSWER}
createBirpc({ call: answer }, { post: (data) => parentPort.postMessage(data), on: (listener) => parentPort.on('message', listener) });
`,
};

/** Every file of every program. */
export const FILES: Readonly<Record<string, string>> = { ...OURS, ...TRANSPORTS, ...PACKAGES };
