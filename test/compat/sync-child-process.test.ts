/**
 * `l3kernel/sync-child-process`, read directly and relayed by a task: the same events, in the same order.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeProject, type Project } from './project.ts';

const files = {
  'main.mjs': `
import assert from 'node:assert/strict';
import { SyncChildProcess } from 'sync-child-process';
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
function collect(child) {
  let [out, err] = ['', ''];
  for (;;) {
    const { done, value } = child.next();
    if (done) return { out, err, ...value };
    if (value.type === 'stdout') out += value.data; else err += value.data;
  }
}
const sh = (script, options) => new SyncChildProcess('sh', ['-c', script], options);
assert.deepEqual(collect(sh('echo hi; echo err >&2; exit 3')), { out: 'hi\\n', err: 'err\\n', type: 'exit', code: 3 });
const quick = sh('exit 0');
assert.deepEqual(quick.next(), { done: true, value: { type: 'exit', code: 0 } });
assert.deepEqual(quick.next(), { done: true, value: undefined });
assert.equal(collect(sh('kill -9 $$')).signal, 'SIGKILL');
// A number with two names.
assert.equal(collect(sh('kill -6 $$')).signal, 'SIGABRT');
const cat = new SyncChildProcess('cat');
for (const text of ['one', Buffer.from('two')]) {
  cat.stdin.write(text);
  assert.equal(String(cat.next().value.data), String(text));
}
cat.stdin.end();
assert.deepEqual(cat.next(), { done: true, value: { type: 'exit', code: 0 } });
const killed = new SyncChildProcess('cat');
killed.kill();
assert.equal(collect(killed).signal, 'SIGTERM');
killed.kill();
const trap = sh('trap "exit 9" INT; echo ready; while true; do sleep 0.05; done');
trap.next();
trap.kill('SIGINT');
assert.equal(collect(trap).code, 9);
assert.equal(collect(sh('pwd; echo $FOO', { cwd: '/', env: { FOO: 'bar', PATH: process.env.PATH } })).out, '/\\nbar\\n');
assert.equal(collect(new SyncChildProcess('echo $((1 + 2))', { shell: true })).out, '3\\n');
assert.equal(collect(sh('exec sleep 5', { timeout: 100 })).signal, 'SIGTERM');
assert.equal(collect(sh('head -c 3000000 /dev/zero | tr "\\\\0" x')).out.length, 3_000_000);
// More than both pipes hold, written before anything is read.
const big = new SyncChildProcess('cat');
big.stdin.write(Buffer.alloc(1_000_000, 'y'));
let length = 0;
while (length < 1_000_000) length += big.next().value.data.length;
big.stdin.end();
assert.deepEqual(big.next(), { done: true, value: { type: 'exit', code: 0 } });
const none = new SyncChildProcess('/nope/nothing');
assert.throws(() => none.next(), /spawn \\/nope\\/nothing ENOENT/);
assert.deepEqual(none.next(), { done: true, value: { type: 'exit' } });
assert.deepEqual(none.next(), { done: true, value: undefined });
// It lives until it is killed, so that the write fails for its pipe, on a slow machine too.
const deaf = sh('exec <&-; echo ready; exec sleep 100');
deaf.next();
deaf.stdin.write('x');
assert.throws(() => deaf.next(), /write EPIPE/);
deaf.kill();
assert.equal(collect(deaf).signal, 'SIGTERM');
// The event loop turns while the child writes and ends.
const late = sh('echo a; sleep 0.1; echo b; exit 5');
await new Promise((resolve) => setTimeout(resolve, 400));
assert.deepEqual(collect(late), { out: 'a\\nb\\n', err: '', type: 'exit', code: 5 });
sleep(1);
console.log('ok');
`,
  'several.mjs': `
import { SyncChildProcess } from 'sync-child-process';
import { readdirSync } from 'node:fs';
// At the same time, and asked in another order than they answer.
const children = ['a', 'b', 'c'].map((letter) => new SyncChildProcess('sh', ['-c', 'echo ' + letter + '; read line; echo $line']));
for (const child of children.toReversed()) console.log(String(child.next().value.data).trim());
for (const [i, child] of children.entries()) child.stdin.write(i + '\\n');
for (const child of children) console.log(String(child.next().value.data).trim(), child.next().done);
// The program never comes to its event loop, in which nothing may pile up.
const threads = () => readdirSync('/proc/self/task').length;
const before = process.platform === 'linux' ? threads() : 0;
for (let i = 0; i < 5; i++) { const child = new SyncChildProcess('true'); while (!child.next().done); child.kill(); }
console.log(process.platform === 'linux' ? threads() - before : 0);
`,
  'readme.cjs': `
const { SyncChildProcess } = require('sync-child-process');
const node = new SyncChildProcess(process.execPath, ['--interactive']);
for (;;) if (node.next().value.data.toString().endsWith('> ')) break;
node.stdin.write('41 * Math.pow(2, 5)\\n');
console.log(node.next().value.data.toString().split('\\n')[0]);
node.stdin.write('.exit\\n');
let result;
do result = node.next(); while (!result.done);
console.log(result.value.code);
`,
};

let project: Project;
before(() => {
  project = makeProject(files);
});
after(() => project.remove());

for (const kind of ['direct', 'relay']) {
  const env = { L3_SYNC_CHILD_PROCESS: kind };
  test(`events of a child, ${kind}`, () => {
    const { stdout, stderr, status } = project.run('main.mjs', [], { env });
    assert.equal(stdout, 'ok\n', stderr);
    assert.equal(status, 0);
  });
  test(`several children at a time, ${kind}`, () => {
    const { stdout, stderr } = project.run('several.mjs', [], { env });
    assert.equal(stdout, 'c\nb\na\n0 true\n1 true\n2 true\n0\n', stderr);
  });
  test(`the example of the README, ${kind}`, () => {
    assert.equal(project.run('readme.cjs', [], { env }).stdout, '1312\n0\n');
  });
}
