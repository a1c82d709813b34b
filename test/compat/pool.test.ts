/**
 * `l3kernel/tinypool` beside tinypool itself, and `l3kernel/piscina`: results, errors, queues, ends of threads.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeProject, type Project } from './project.ts';

const worker = (pool: string): string => `
import Pool from '${pool}';
import { isMainThread, workerData } from 'node:worker_threads';
export default async ({ a, b }) => a + b;
export const double = (x) => 2 * x;
export const fail = async () => { throw new RangeError('no'); };
export const failWithText = async () => { throw 'text'; };
export const failMine = async () => { throw Object.assign(new RangeError('no'), { code: 'E_NO', data: 1 }); };
export const sleep = async (ms) => { await new Promise((resolve) => setTimeout(resolve, ms)); return 'slept'; };
export const busy = (ms) => { for (const end = Date.now() + ms; Date.now() < end; ); return 'busy'; };
export const exit = (code) => process.exit(code);
export const uncaught = async () => { setTimeout(() => { throw new Error('uncaught'); }, 5); await sleep(2000); };
export const heap = () => { for (const all = []; ; ) all.push(new Array(1e6).fill(Math.random())); };
export const info = () => ({ data: Pool.workerData, raw: workerData, isPool: Pool.isWorkerThread, isMainThread, argv: process.argv.slice(2), env: process.env.POOL_TEST });
export const moved = () => Pool.move(new Uint8Array([1, 2, 3]));
export const length = (x) => x.byteLength;
export const chat = ({ port }) => new Promise((resolve) => port.on('message', (m) => { port.postMessage('got ' + m); port.close(); resolve('done'); }));
export const log = () => console.log('from a worker');
export const teardown = () => console.log('teardown');
let calls = 0;
export const count = () => ++calls;
`;

const files = {
  'tinypool-worker.mjs':
    worker('tinypool') +
    `
import { workerId } from 'tinypool';
// Ends when two tasks are at it: on a busy machine the first thread would else be done before the second has begun.
export const id = async (atIt) => { Atomics.add(atIt, 0, 1); while (Atomics.load(atIt, 0) < 2) await sleep(5); return workerId; };
`,
  'piscina-worker.mjs': worker('piscina'),
  'common.cjs': `module.exports = (x) => 'common ' + x;\n`,
  'missing-import.mjs': `import 'not-installed-anywhere';\n`,
  'tinypool.mjs': `
import Tinypool from 'tinypool';
import { MessageChannel } from 'node:worker_threads';
import { inspect } from 'node:util';
const filename = new URL('./tinypool-worker.mjs', import.meta.url);
const make = (options) => new Tinypool({ filename, minThreads: 1, maxThreads: 1, ...options });
async function show(what, run) {
  try { console.log(what, inspect(await run(), { depth: 4 })); }
  catch (error) { console.log(what, 'throws', error?.name, String(error?.message ?? error).split('\\n')[0].replace(/ imported from .*/, '')); }
}
const cases = {
  async results() {
    // With no timeout the second thread may have gone before the last of 'many' ends, here and in the original.
    const pool = make({ maxThreads: 2, idleTimeout: 60_000, workerData: { w: 1 }, argv: ['first'], env: { POOL_TEST: 'here' } });
    await show('default', () => pool.run({ a: 1, b: 2 }));
    for (const name of ['fail', 'failWithText', 'info', 'moved']) await show(name, () => pool.run(0, { name }));
    const view = new Uint8Array(10);
    await show('move', () => pool.run(Tinypool.move(view), { name: 'length' }));
    const buffer = new ArrayBuffer(7);
    await show('transferList', () => pool.run(buffer, { name: 'length', transferList: [buffer] }));
    console.log(view.byteLength, buffer.byteLength);
    const { port1, port2 } = new MessageChannel();
    const heard = new Promise((resolve) => port2.on('message', resolve));
    const chat = pool.run({ port: port1 }, { name: 'chat', transferList: [port1] });
    port2.postMessage('hi');
    await show('chat', () => chat);
    await show('heard', () => heard);
    port2.close();
    await show('common', () => pool.run(1, { filename: new URL('./common.cjs', import.meta.url).href }));
    await show('log', () => pool.run(0, { name: 'log' }));
    await show('many', async () => (await Promise.all(Array.from({ length: 500 }, (_, i) => pool.run(i, { name: 'double' })))).every((x, i) => x === 2 * i));
    console.log(pool.completed, pool.threads.length, pool.queueSize, typeof pool.duration, pool.options.maxThreads, pool.options.name);
    await pool.destroy();
    console.log(pool.threads.length);
  },
  async missing() {
    const pool = make();
    await show('name', () => pool.run(0, { name: 'nothing' }));
    await pool.destroy();
    const none = make({ filename: undefined });
    await show('filename', () => none.run(0));
    await none.destroy();
  },
  async abort() {
    const pool = make();
    const running = new AbortController();
    const busy = pool.run(10_000, { name: 'busy', signal: running.signal });
    setTimeout(() => running.abort(), 100);
    await show('running', () => busy);
    await show('next', () => pool.run({ a: 1, b: 1 }));
    const queued = new AbortController();
    const first = pool.run(100, { name: 'sleep' });
    const second = pool.run(1, { name: 'double', signal: queued.signal });
    queued.abort();
    await show('queued', () => second);
    await show('before', () => pool.run(1, { signal: AbortSignal.abort() }));
    await first;
    await pool.destroy();
  },
  async queue() {
    const pool = make({ maxQueue: 1 });
    await pool.run({ a: 1, b: 1 });
    const [first, second] = [pool.run(200, { name: 'sleep' }), pool.run(1, { name: 'double' })];
    console.log(pool.queueSize);
    await show('third', () => pool.run(1, { name: 'double' }));
    await show('first', () => first);
    await show('second', () => second);
    const [third, fourth] = [pool.run(100, { name: 'sleep' }), pool.run(1, { name: 'double' })];
    const cancelled = show('cancelled', () => fourth);
    pool.cancelPendingTasks();
    await cancelled;
    await third;
    const last = pool.run(5000, { name: 'sleep' });
    const lastShown = show('destroyed', () => last);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await pool.destroy();
    await lastShown;
  },
  async isolate() {
    const pool = make({ isolateWorkers: true });
    for (const n of [1, 2, 3]) await show(n, () => pool.run(0, { name: 'count' }));
    await pool.destroy();
    const limited = make({ maxMemoryLimitBeforeRecycle: 1 });
    for (const n of [1, 2]) await show(n, () => limited.run(0, { name: 'count' }));
    await limited.destroy();
    const kept = make();
    for (const n of [1, 2]) await show(n, () => kept.run(0, { name: 'count' }));
    await kept.recycleWorkers();
    await show('recycled', () => kept.run(0, { name: 'count' }));
    await kept.destroy();
  },
  async threads() {
    const pool = make({ minThreads: 2, maxThreads: 2 });
    const ids = async (pool) => {
      const atIt = new Int32Array(new SharedArrayBuffer(4));
      return (await Promise.all([1, 2].map(() => pool.run(atIt, { name: 'id' })))).sort();
    };
    await show('ids', () => ids(pool));
    await pool.recycleWorkers();
    await show('ids', () => ids(pool));
    await pool.destroy();
    const wide = make({ concurrentTasksPerWorker: 3 });
    await wide.run({ a: 1, b: 1 });
    const tasks = [1, 2, 3, 4].map(() => wide.run(50, { name: 'sleep' }));
    console.log(wide.queueSize);
    await Promise.all(tasks);
    await wide.destroy();
    const falling = make({ maxThreads: 2 });
    await ids(falling);
    while (falling.threads.length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    console.log(falling.threads.length);
    await falling.destroy();
    const torn = make({ teardown: 'teardown' });
    await torn.run({ a: 1, b: 2 });
    await torn.destroy();
  },
  async uncaught() {
    const pool = make();
    await show('uncaught', () => pool.run(0, { name: 'uncaught' }));
    await show('next', () => pool.run({ a: 1, b: 2 }));
    await pool.destroy();
  },
  async heap() {
    const pool = make({ resourceLimits: { maxOldGenerationSizeMb: 40 } });
    await show('heap', () => pool.run(0, { name: 'heap' }));
    await show('next', () => pool.run({ a: 1, b: 2 }));
    await pool.destroy();
  },
  async load() {
    const pool = make({ filename: new URL('./missing-import.mjs', import.meta.url) });
    pool.on('error', () => {});
    await show('load', () => pool.run(0));
    await pool.destroy();
  },
  async leave() {
    const pool = make();
    await show('left', () => pool.run({ a: 1, b: 2 }));
  },
  // From here on what the original does not do.
  async exit() {
    const pool = make();
    await show('exit', () => pool.run(3, { name: 'exit' }));
    await show('next', () => pool.run({ a: 1, b: 2 }));
    await show('mine', () => pool.run(0, { name: 'failMine' }).catch(({ code, data }) => [code, data]));
    await pool.destroy();
  },
};
await cases[process.argv[2]]();
`,
  'piscina.mjs': `
import assert from 'node:assert/strict';
import Piscina, { Piscina as Named, move } from 'piscina';
const filename = new URL('./piscina-worker.mjs', import.meta.url).href;
assert.equal(Named, Piscina);
assert.equal(Piscina.isWorkerThread, false);
const pool = new Piscina({ filename, minThreads: 1, maxThreads: 2, workerData: { w: 1 } });
assert.equal(await pool.run({ a: 1, b: 2 }), 3);
const info = await pool.run(0, { name: 'info' });
assert.deepEqual([info.data, info.raw, info.isPool], [{ w: 1 }, { w: 1 }, true]);
const view = new Uint8Array(5);
assert.equal(await pool.run(move(view), { name: 'length' }), 5);
assert.equal(view.byteLength, 0);
await assert.rejects(pool.run(0, { name: 'fail' }), RangeError);
await assert.rejects(pool.run(0, { name: 'uncaught' }), /uncaught/);
await assert.rejects(pool.run(3, { name: 'exit' }), /worker exited with code: 3/);
assert.equal(await pool.run({ a: 2, b: 2 }), 4);
await assert.rejects(pool.run(0, { signal: AbortSignal.abort('why') }), (error) => error.name === 'AbortError' && error.cause === 'why');
await assert.rejects(pool.run(0, { filename: 3 }), TypeError);
await assert.rejects(pool.run(0, { transferList: 3 }), TypeError);
assert.throws(() => new Piscina({ maxThreads: 0 }), /options.maxThreads must be a positive integer/);
assert.throws(() => new Piscina({ minThreads: 3, maxThreads: 2 }), RangeError);
assert.ok(pool.completed >= 6 && pool.duration > 0 && pool.utilization >= 0 && pool.queueSize === 0);
const events = [];
pool.on('needsDrain', () => events.push('needsDrain'));
pool.on('drain', () => events.push('drain'));
const tasks = [1, 2, 3].map(() => pool.run(50, { name: 'sleep' }));
await Promise.all(tasks);
await new Promise((resolve) => setTimeout(resolve, 20));
assert.deepEqual(events.slice(0, 2), ['needsDrain', 'drain']);
const waiting = [1, 2, 3].map(() => pool.run(100, { name: 'sleep' }));
pool.on('close', () => events.push('close'));
await pool.close();
assert.deepEqual(await Promise.all(waiting), ['slept', 'slept', 'slept']);
assert.equal(events.at(-1), 'close');
assert.equal(pool.threads.length, 0);
const forced = new Piscina({ filename, minThreads: 1, maxThreads: 1 });
await forced.run({ a: 1, b: 1 });
const results = Promise.allSettled([1, 2].map(() => forced.run(100, { name: 'sleep' })));
await forced.close({ force: true });
assert.deepEqual((await results).map(({ status, reason }) => reason?.name ?? status), ['fulfilled', 'AbortError']);
console.log('ok');
`,
  'piscina.cjs': `
const Piscina = require('piscina');
const pool = new Piscina({ filename: require.resolve('./common.cjs') });
pool.run(1).then(async (result) => { console.log(result, Piscina.version); await pool.destroy(); });
`,
};

let ours: Project;
let original: Project;

before(() => {
  ours = makeProject(files);
  original = makeProject(files, true);
});

after(() => {
  ours.remove();
  original.remove();
});

const withoutFolders = (text: string): string => text.replaceAll(ours.folder, '').replaceAll(original.folder, '');

for (const name of [
  'results',
  'missing',
  'abort',
  'queue',
  'isolate',
  'threads',
  'uncaught',
  'heap',
  'load',
  'leave',
]) {
  test(`tinypool does as the original: ${name}`, () => {
    const expected = original.run('tinypool.mjs', [name]);
    const actual = ours.run('tinypool.mjs', [name]);
    assert.equal(withoutFolders(actual.stdout), withoutFolders(expected.stdout), actual.stderr);
    assert.notEqual(actual.stdout, '');
    assert.equal(actual.status, expected.status);
  });
}

test('tinypool reports a thread that leaves, and keeps what errors carry', () => {
  const { stdout, status } = ours.run('tinypool.mjs', ['exit']);
  assert.equal(stdout, "exit throws Error worker exited with code: 3\nnext 3\nmine [ 'E_NO', 1 ]\n");
  assert.equal(status, 0);
});

test('piscina: results, errors, options, events, close', () => {
  const { stdout, stderr, status } = ours.run('piscina.mjs');
  assert.equal(stdout, 'ok\n', stderr);
  assert.equal(status, 0);
});

test('piscina from CommonJS', () => {
  assert.equal(ours.run('piscina.cjs').stdout, 'common 1 5.3.2\n');
});
