/**
 * `l3kernel/make-synchronized`: the examples of the original's README, and what happens when the worker ends.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeProject, type Project } from './project.ts';

const files = {
  'module.mjs': `
export default async (x = 'd') => 'default ' + x;
export const foo = 'foo';
export const bar = async () => 'bar called';
export const object = { a: 1, async f(x) { return this.a + x; }, deep: { g: async () => 'g' }, get got() { return 7; } };
export const bare = Object.assign(Object.create(null), { z: 1 });
export const date = new Date(0);
export const big = 1n, nothing = null;
let count = 0;
export const next = async () => ++count;
export const fail = async () => { throw Object.assign(new RangeError('no'), { code: 'E_NO', data: { x: 1 } }); };
export const failWithText = async () => { throw 'text'; };
export const exit = async (code) => process.exit(code);
export const setExitCode = async (code) => { process.exitCode = code; return 'set'; };
export const log = async () => { console.log('from the worker'); return 1; };
export const heap = async () => { for (const all = []; ; ) all.push(new Array(1e6).fill(Math.random())); };
export const makeFunction = async () => () => 1;
`,
  'self.mjs': `
import makeSynchronized, { makeSynchronizedFunction } from 'make-synchronized';
export const { foo, bar } = makeSynchronized(import.meta, {
  async foo() { return 'foo'; },
  async bar(x) { return 'bar' + x; },
});
export default makeSynchronizedFunction(import.meta, async () => 'self');
export const named = makeSynchronizedFunction(import.meta, async () => 'named', 'named');
`,
  'main.mjs': `
import assert from 'node:assert/strict';
import makeSynchronized, {
  makeDefaultExportSynchronized, makeInlineFunctionSynchronized, makeModuleSynchronized, makeSynchronizedFunctions,
} from 'make-synchronized';
const url = new URL('./module.mjs', import.meta.url);
const m = makeSynchronized(url);
assert.equal(m(), 'default d');
assert.equal(m('x'), 'default x');
assert.deepEqual([m.foo, m.bar(), m.big, m.nothing, m.missing], ['foo', 'bar called', 1n, null, undefined]);
assert.deepEqual([m.object.a, m.object.f(4), m.object.deep.g(), m.object.got, Object.keys(m.object)], [1, 5, 'g', 7, ['a', 'f', 'deep', 'got']]);
assert.equal(Object.getPrototypeOf(m.bare), null);
assert.deepEqual(m.date, new Date(0));
assert.deepEqual([m.next(), m.next()], [1, 2]);
assert.throws(() => m.fail(), { name: 'RangeError', message: 'no', code: 'E_NO', data: { x: 1 } });
assert.throws(() => m.failWithText(), (error) => error === 'text');
assert.throws(() => m.makeFunction(), /Cannot serialize worker response/);
assert.throws(() => m.bar(Symbol('s')), (error) => error.name === 'DataCloneError' && /Cannot serialize request data/.test(error.message) && error.requestData.argumentsList.length === 1);
assert.equal(m.log(), 1);
assert.equal(m.setExitCode(2), 'set');
assert.equal(m.next(), 1, 'a worker with an exit code was replaced');
assert.throws(() => m.exit(3), /Worker exited with code 3/);
assert.equal(m.next(), 1, 'a worker that left was replaced');
const namespace = makeModuleSynchronized(url);
assert.equal(Object.prototype.toString.call(namespace), '[object Module]');
assert.equal(namespace.default(), 'default d');
assert.ok(Object.keys(namespace).includes('bar'));
assert.equal(makeDefaultExportSynchronized(url.href)('q'), 'default q');
const self = await import('./self.mjs');
assert.deepEqual([self.foo(), self.bar(1), self.default(), self.named()], ['foo', 'bar1', 'self', 'named']);
const sleep = makeSynchronized(async (delay) => {
  const { setTimeout } = await import('node:timers/promises');
  return setTimeout(delay, 'slept');
});
assert.equal(sleep(5), 'slept');
assert.equal(makeInlineFunctionSynchronized('(a) => a + 1')(5), 6);
assert.equal(makeSynchronized(async () => typeof (await import('./module.mjs')).bar)(), 'function');
assert.equal(makeSynchronized('node:path').basename('/a/b'), 'b');
assert.throws(() => makeSynchronized(new URL('./none.mjs', import.meta.url)), { code: 'ERR_MODULE_NOT_FOUND' });
assert.throws(() => makeSynchronized('./module.mjs'), TypeError);
assert.throws(() => makeSynchronizedFunctions(3, {}), TypeError);
console.log('ok');
`,
  'heap.mjs': `
import makeSynchronized from 'make-synchronized';
const m = makeSynchronized(new URL('./module.mjs', import.meta.url));
try { m.heap(); } catch (error) { console.log(error.code); }
console.log(m.next());
`,
  'common.cjs': `
const makeSynchronized = require('make-synchronized');
const { pathToFileURL } = require('node:url');
const m = makeSynchronized.default(pathToFileURL(require.resolve('./module.mjs')));
console.log(m.bar(), typeof makeSynchronized.makeSynchronized);
`,
};

let project: Project;
before(() => {
  project = makeProject(files);
});
after(() => project.remove());

test('the examples of the README', () => {
  const { stdout, stderr, status } = project.run('main.mjs');
  assert.equal(stdout, 'from the worker\nok\n', stderr);
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('from CommonJS', () => {
  const { stdout, stderr } = project.run('common.cjs');
  assert.equal(stdout, 'bar called function\n', stderr);
});

test('a worker whose heap is full is reported and replaced', () => {
  const { stdout, stderr } = project.run('heap.mjs', [], { execArgv: ['--max-old-space-size=60'] });
  assert.equal(stdout, 'ERR_WORKER_OUT_OF_MEMORY\n1\n', stderr);
});
