/**
 * `l3kernel/synckit` beside synckit itself: one script is run in two projects, one with each, and must print the same
 * wherever the original comes to an end.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeProject, type Project } from './project.ts';

const files = {
  'worker.mjs': `
import { runAsWorker } from 'synckit';
import { readFile } from 'node:fs/promises';
class Mine extends Error {
  constructor(message) { super(message); this.name = 'Mine'; this.code = 'E_MINE'; this.details = { a: [1] }; }
}
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let free;
const actions = {
  add: (a, b) => a + b,
  echo: (x) => x,
  log(x) { console.log('out', x); process.stdout.write(new Uint8Array([104, 105, 10])); console.error('err', x); return 'logged'; },
  logAndThrow() { console.log('before the throw'); throw new Error('after the log'); },
  throw() { throw new Mine('mine'); },
  throwString() { throw 'a string'; },
  throwUndefined() { throw undefined; },
  throwObject() { throw { a: 1 }; },
  read: async () => (await readFile(new URL(import.meta.url), 'utf8')).length > 0,
  async sleep(ms) { await wait(ms); console.log('slept'); return 'slept'; },
  hang: () => new Promise((resolve) => { free = resolve; }),
  free() { free('late'); return 'freed'; },
  block(flag) { Atomics.wait(flag, 0, 0); return 'blocked'; },
  unref: (ms) => new Promise((resolve) => setTimeout(resolve, ms, 'unref').unref()),
  exit: (code) => process.exit(code),
  async uncaught() { setTimeout(() => { throw new Mine('uncaught'); }, 5); await wait(1000); },
  async unhandled() { void Promise.reject(new Mine('unhandled')); await wait(1000); },
  tick: () => new Promise((resolve) => process.nextTick(() => queueMicrotask(() => resolve('tick')))),
  heap() { for (const all = []; ; ) all.push(new Array(1e6).fill(Math.random())); },
  function: () => () => 1,
  call: (f) => f(20) + 1,
};
runAsWorker(async (name, ...args) => actions[name](...args));
`,
  'missing-import.mjs': `import 'not-installed-anywhere';\n`,
  'throws.mjs': `throw Object.assign(new Error('top level'), { code: 'E_TOP' });\n`,
  'unregistered.mjs': `export {};\n`,
  'late.mjs': `import { runAsWorker } from 'synckit'; setTimeout(() => runAsWorker((x) => x + 1), 50);\n`,
  'common.cjs': `const { runAsWorker } = require('synckit'); runAsWorker(async (a, b) => a * b);\n`,
  'typed.mts': `import { runAsWorker } from 'synckit'; runAsWorker(async (a: number, b: number): Promise<number> => a - b);\n`,
  'shimmed.cjs': `require('synckit').runAsWorker(() => [typeof globalThis.shimmed, globalThis.posixPath?.sep]);\n`,
  // Calls, one after another, as JSON on the command line; prints what comes of each.
  'calls.mjs': `
import { createSyncFn } from 'synckit';
import { inspect } from 'node:util';
const [file, options, ...calls] = process.argv.slice(2);
const call = createSyncFn(new URL(file, import.meta.url), JSON.parse(options));
for (const args of calls) {
  try {
    console.log(args, inspect(call(...JSON.parse(args))));
  } catch (error) {
    console.log(args, 'throws', error?.name, error?.code, String(error?.message ?? inspect(error)).split('\\n')[0], inspect(error?.details));
  }
}
`,
  // What outlives the timeout does so until it is told to end, however slow the machine is.
  'timeouts.mjs': `
import { createSyncFn } from 'synckit';
const [timeout] = process.argv.slice(2);
const call = createSyncFn(new URL('./worker.mjs', import.meta.url), timeout === undefined ? {} : { timeout: Number(timeout) });
const attempt = (...args) => {
  try { console.log(args[0], call(...args)); } catch (error) { console.log(args[0], 'throws', error.message); }
};
// The loading of the module counts too.
for (let isLoaded = false; !isLoaded; ) try { isLoaded = call('add', 0, 0) === 0; } catch {}
attempt('hang');
attempt('free');
attempt('log', 'later');
if (timeout !== undefined) {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  attempt('block', flag);
  attempt('add', 1, 2);
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  attempt('add', 1, 2);
  attempt('add', 3, 4);
}
`,
  'values.mjs': `
import { createSyncFn } from 'synckit';
import assert from 'node:assert/strict';
const call = createSyncFn(new URL('./worker.mjs', import.meta.url));
const loop = {}; loop.self = loop;
for (const value of [1, -0, NaN, 1n, 'ä', '', null, undefined, true, [1, , 3], { a: undefined }, new Map([[1, new Date(0)]]), new Set([1]),
  /x/g, loop, new Uint8Array([1, 2]), new Float64Array(3), 'x'.repeat(100_000), new Uint8Array(3_000_000)])
  assert.deepEqual(call('echo', value), value);
assert.equal(createSyncFn(new URL('./worker.mjs', import.meta.url).href), call);
assert.throws(() => createSyncFn('./worker.mjs'), /must be absolute/);
const buffer = new ArrayBuffer(8);
createSyncFn(new URL('./late.mjs', import.meta.url), { transferList: [buffer] });
assert.equal(buffer.byteLength, 0);
console.log('ok');
`,
  'common-main.cjs': `
const { createSyncFn } = require('synckit');
const path = require('node:path');
console.log(createSyncFn(require.resolve('./common.cjs'))(6, 7), createSyncFn(path.join(__dirname, 'typed.mjs'))(9, 7));
import('synckit').then((module) => console.log(typeof module.createSyncFn, Object.keys(module.TsRunner).length));
`,
  'shims.mjs': `
import { createSyncFn } from 'synckit';
const globalShims = [{ moduleName: 'node:path', globalName: 'posixPath', named: 'posix' }, { moduleName: 'no-such-package', globalName: 'shimmed' }];
console.log(createSyncFn(new URL('./shimmed.cjs', import.meta.url), { globalShims })());
`,
  'functions.mjs': `
import { createSyncFn } from 'synckit';
console.log(createSyncFn(new URL('./worker.mjs', import.meta.url))('call', (x) => 2 * x));
`,
  'many.mjs': `
import { createSyncFn } from 'synckit';
const call = createSyncFn(new URL('./worker.mjs', import.meta.url));
let sum = 0;
for (let i = 0; i < 20_000; i++) sum += call('add', i, 1);
for (let i = 0; i < 200; i++) sum += call('read') ? 1 : 0;
for (let i = 0; i < 200; i++) if (call('tick') !== 'tick') throw new Error('tick');
console.log(sum);
`,
  'idle.mjs': `import { createSyncFn } from 'synckit'; createSyncFn(new URL('./worker.mjs', import.meta.url)); console.log('made');\n`,
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

const withoutFolders = (text: string): string =>
  text
    .replaceAll(ours.folder, '')
    .replaceAll(original.folder, '')
    .replaceAll(/ imported from .*/g, '');

/** Runs a script with each; their output and exit code must be the same. */
function same(file: string, args: readonly string[] = [], env: Record<string, string> = {}): string {
  const expected = original.run(file, args, { env });
  const actual = ours.run(file, args, { env });
  assert.equal(withoutFolders(actual.stdout), withoutFolders(expected.stdout), actual.stderr);
  assert.equal(actual.status, expected.status);
  assert.equal(expected.status, 0, expected.stderr);
  return actual.stdout;
}

test('values of every kind arrive', () => {
  assert.equal(same('values.mjs'), 'ok\n');
});

test('results, errors and output are those of the original', () => {
  const calls = ['["add",1,2]', '["log","x"]', '["logAndThrow"]', '["throw"]', '["throwString"]', '["throwUndefined"]'];
  calls.push('["throwObject"]', '["read"]', '["sleep",20]', '["unref",30]', '["tick"]', '["add",3,4]');
  assert.match(same('calls.mjs', ['./worker.mjs', '{}', ...calls]), /throws Mine E_MINE mine \{ a: \[ 1 \] \}/);
});

test('output of the worker stands before that of the caller, on both streams', () => {
  const { stderr, stdout } = ours.run('calls.mjs', ['./worker.mjs', '{}', '["log","x"]']);
  assert.equal(stdout, `out x\nhi\n["log","x"] 'logged'\n`);
  assert.match(stderr, /err x/);
});

test('CommonJS and TypeScript workers run, from CommonJS too', () => {
  assert.equal(same('common-main.cjs'), '42 2\nfunction 8\n');
});

test('a worker that registers its handler later is waited for', () => {
  same('calls.mjs', ['./late.mjs', '{}', '[1]', '[2]']);
});

test('shims are installed where their modules are', () => {
  assert.equal(same('shims.mjs'), `[ 'undefined', '/' ]\n`);
});

test('a worker that does not load says why, at each call', () => {
  for (const file of ['./missing-import.mjs', './throws.mjs']) same('calls.mjs', [file, '{}', '[]', '[]']);
  const { stdout, status } = ours.run('calls.mjs', ['./unregistered.mjs', '{}', '[]']);
  assert.match(stdout, /Worker exited with code 0: its module has not called runAsWorker/);
  assert.equal(status, 0);
});

test('a worker that ends in a call is reported, at each call', () => {
  for (const name of ['uncaught', 'unhandled']) same('calls.mjs', ['./worker.mjs', '{}', `["${name}"]`, '["add",1,2]']);
  assert.match(same('calls.mjs', ['./worker.mjs', '{}', '["exit",3]', '["add",1,2]']), /Worker exited with code 3/);
});

test('a worker whose heap is full is reported, while the original waits for ever', () => {
  const args = ['./worker.mjs', '{}', '["heap"]', '["add",1,2]'];
  const env = { NODE_OPTIONS: '--max-old-space-size=60' };
  const line = /throws Error ERR_WORKER_OUT_OF_MEMORY .*heap out of memory/;
  const lines = ours.run('calls.mjs', args, { env }).stdout.trimEnd().split('\n');
  assert.equal(lines.length, 2);
  for (const each of lines) assert.match(each, line);
});

const TIMED_OUT = 'throws Internal error: Atomics.wait() failed: timed-out\n';
const ANSWERED = `hang ${TIMED_OUT}free freed\nout later\nhi\nlog logged\n`;

test('a timeout ends a call, and the next one is answered; a blocked handler answers again when it is done', () => {
  assert.equal(same('timeouts.mjs', ['2000']), `${ANSWERED}block ${TIMED_OUT}add ${TIMED_OUT}add 3\nadd 7\n`);
});

test('a timeout of the environment holds', () => {
  assert.equal(same('timeouts.mjs', [], { SYNCKIT_TIMEOUT: '2000' }), ANSWERED);
});

test('a result that cannot be cloned is refused, and the worker lives on', () => {
  const { stdout } = ours.run('calls.mjs', ['./worker.mjs', '{}', '["function"]', '["add",1,2]']);
  assert.match(stdout, /throws DataCloneError 25 .*function.*\n.* 3\n/);
});

test('a function in the arguments can be called, while the original refuses it', () => {
  assert.equal(ours.run('functions.mjs').stdout, '41\n');
  assert.notEqual(original.run('functions.mjs').status, 0);
});

test('an option of Node that a worker may not have is reported', () => {
  const { stdout } = ours.run('calls.mjs', ['./worker.mjs', '{"execArgv":["--no-such-option"]}', '["add",1,2]']);
  assert.match(stdout, /throws Error .*invalid execArgv flags: --no-such-option/);
});

test('calls by the thousand, with and without waiting handlers', () => {
  assert.equal(ours.run('many.mjs').stdout, `${(20_000 * 20_001) / 2 + 200}\n`);
});

test('a process that made a function and calls nothing ends', () => {
  assert.deepEqual([ours.run('idle.mjs').stdout, ours.run('idle.mjs').status], ['made\n', 0]);
});
