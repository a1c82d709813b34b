/**
 * The package as it is published: dist/ in the node_modules of a project of its own, by `require` and `import`, with
 * task modules that import the package themselves.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
let project = '';

const files = {
  'plain.mjs': 'export const add = (a, b) => a + b;\n',
  // The task's own import is a second copy in its agent, and, from other/, of another folder.
  'user.mjs': `
import { here, lookup, boot, IpcError } from 'l3kernel';
import * as ipc from 'l3kernel/ipc';
export const ids = () => ({ id: here.id, chief: here.chief, sender: here.sender, self: ipc.self() });
export const addBy = (name, a, b) => lookup(name).sync.add(a, b);
export const askHost = (x) => here.host.sync.twice(x);
export const refused = () => {
  try { lookup('nobody'); } catch (error) { return error instanceof IpcError && error.code; }
};
export async function spawnChild() {
  const child = await (await boot()).spawn(new URL('./plain.mjs', import.meta.url));
  const sum = child.sync.add(1, 2);
  await child.kill();
  return sum;
}
`,
  'low.mjs': `
import * as ipc from 'l3kernel/ipc';
/** Answers \`calls\` messages with the sum of their words, and the length of their string. */
export function serve(calls) {
  let result = ipc.receive();
  for (let i = 0; i < calls; i++) {
    if (result !== ipc.OK) throw new Error('result ' + result);
    const tag = ipc.tag();
    let sum = 0;
    for (let word = 0; word < ipc.wordsIn(tag); word++) sum += ipc.message[word];
    ipc.message[0] = sum;
    ipc.message[1] = ipc.stringsIn(tag) > 0 ? ipc.stringLength(0) : -1;
    const [to, sequence] = [ipc.sender(), ipc.sequence()];
    if (i + 1 === calls) ipc.reply(to, sequence, ipc.makeTag(2, 0, ipc.methodIn(tag)));
    else result = ipc.replyAndReceive(to, sequence, ipc.makeTag(2, 0, ipc.methodIn(tag)));
  }
}
export const id = () => ipc.self();
`,
  'common.cjs': `
const { boot, bootSync, task, IpcError } = require('l3kernel');
const path = require('node:path');
const t = task(path.join(__dirname, 'plain.mjs'), { timeout: 5000 });
if (t.sync.add(1, 2) !== 3) throw new Error('a wrong sum');
let code;
try { t.sync.ad(1); } catch (error) { code = error instanceof IpcError && error.code; }
import('l3kernel').then((module) => {
  if (module.boot !== boot || module.bootSync() !== bootSync()) throw new Error('two packages');
  console.log('ok', code);
});
`,
  'main.mjs': `
import assert from 'node:assert/strict';
import * as l3 from 'l3kernel';
const other = await import(new URL('./other/node_modules/l3kernel/dist/index.js', import.meta.url));
assert.equal(other.boot, l3.boot);
assert.equal(other.IpcError, l3.IpcError);
assert.equal(other.here, l3.here);
const system = await l3.boot({ timeout: 8000 });
assert.equal(await other.boot(), system);
await system.spawn(new URL('./plain.mjs', import.meta.url), { name: 'plain' });
const user = await system.spawn(new URL('./user.mjs', import.meta.url), { host: { twice: (x) => 2 * x } });
const { id, chief, sender, self } = user.sync.ids();
assert.equal(id, user.id);
assert.equal(self, user.id);
assert.equal(chief, l3.here.id);
assert.ok(sender > 0);
assert.equal(user.sync.addBy('plain', 20, 3), 23);
assert.equal(user.sync.askHost(4), 8);
assert.equal(user.sync.refused(), 'ERR_IPC_NO_SUCH_THREAD');
assert.equal(await user.async.spawnChild(), 3);
await system.shutdown();
console.log('ok');
`,
  'mortal.mjs': `
export const add = (a, b) => a + b;
export const exit = (code) => process.exit(code);
export const say = (text) => console.log(text);
export const loop = () => { for (;;); };
`,
  'restart-main.mjs': `
import assert from 'node:assert/strict';
import { boot } from 'l3kernel';
const system = await boot();
const t = await system.spawn(new URL('./mortal.mjs', import.meta.url), { restart: 'on-failure', onTimeout: 'kill' });
t.sync.say('first');
assert.throws(() => t.sync.exit(3), { code: 'ERR_IPC_PEER_GONE' });
assert.equal(t.sync.add(1, 2), 3);
assert.throws(() => t.with({ timeout: 50 }).sync.loop(), { code: 'ERR_IPC_TIMEOUT' });
assert.equal(await t.async.add(1, 2), 3);
t.sync.say('last');
`,
  'before.mjs': 'globalThis.before = (globalThis.before ?? 0) + 1;\n',
  'asked.mjs': 'export const before = () => globalThis.before;\n',
  'before-main.mjs': `
import { task } from 'l3kernel';
console.log(globalThis.before, task(new URL('./asked.mjs', import.meta.url)).sync.before());
`,
  'low-main.mjs': `
import assert from 'node:assert/strict';
import { boot } from 'l3kernel';
import * as clock from 'l3kernel/clock';
import * as ipc from 'l3kernel/ipc';
assert.throws(() => ipc.self(), /no system/);
assert.throws(() => clock.sleep(1), /no system/);
const system = await boot();
const t = await system.spawn(new URL('./low.mjs', import.meta.url));
const server = t.sync.id();
assert.equal(server, t.id);
const ended = t.async.serve(1002);
while (system.tasks().find((info) => info.id === t.id).state !== 'receiving') await new Promise((resolve) => setTimeout(resolve, 2));
// The handler is at work once it has taken the call.
await new Promise((resolve) => setTimeout(resolve, 50));
for (let i = 0; i < 1000; i++) {
  const words = i % 17;
  for (let word = 0; word < words; word++) ipc.message[word] = i + word;
  assert.equal(ipc.call(server, ipc.makeTag(words, 0, 5), 5000, 5000), ipc.OK);
  assert.equal(ipc.sender(), server);
  assert.equal(ipc.methodIn(ipc.tag()), 5);
  assert.equal(ipc.message[0], words * i + (words * (words - 1)) / 2);
}
ipc.setString(0, new Uint8Array(5));
assert.equal(ipc.call(server, ipc.makeTag(0, 1), 5000, 5000), ipc.OK);
assert.equal(ipc.message[1], 5);
ipc.setString(0, new Uint8Array(3 << 20));
assert.equal(ipc.call(server, ipc.makeTag(0, 1), 5000, 5000), ipc.OK);
assert.equal(ipc.message[1], 3 << 20);
await ended;
await t.kill();
assert.equal(ipc.call(server, ipc.makeTag(0), 1000, 1000), ipc.NOT_TAKEN);
assert.equal(clock.sleep(5), true);
clock.setTick(5);
assert.equal(ipc.receive(0, 5000), ipc.OK);
assert.ok(clock.ticksIn() > 0);
assert.throws(() => ipc.makeTag(17), RangeError);
await system.shutdown();
console.log('ok');
`,
};

before(() => {
  // Builds when the sources have changed since the last time, as the gate does.
  const build = `import { buildIfChanged } from './scripts/build-stamp.mjs'; process.exitCode = await buildIfChanged();`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', build], { cwd: root, timeout: 60_000 });
  project = mkdtempSync(join(tmpdir(), 'l3-package-'));
  for (const copy of ['node_modules/l3kernel', 'other/node_modules/l3kernel']) {
    mkdirSync(join(project, copy), { recursive: true });
    cpSync(join(root, 'dist'), join(project, copy, 'dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(project, copy, 'package.json'));
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
});

after(() => rmSync(project, { recursive: true, force: true }));

function run(name: string, args: readonly string[] = []): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [...args, join(project, name)], {
    cwd: project,
    encoding: 'utf8',
    timeout: 15_000,
    killSignal: 'SIGKILL',
  });
  assert.equal(status, 0, `${name}: ${stderr}`);
  return stdout.trim();
}

test('require and import give one package', () => {
  assert.equal(run('common.cjs'), 'ok ERR_IPC_NO_SUCH_METHOD');
});

test('copies of the package in one agent share one system, in tasks too', () => {
  assert.equal(run('main.mjs'), 'ok');
});

test('tasks are restarted and replaced, and what they say is there when the process ends', () => {
  assert.equal(run('restart-main.mjs'), 'first\nlast');
});

test('a module that --import names by a path from the working directory is in tasks too', () => {
  assert.equal(run('before-main.mjs', ['--import', './before.mjs']), '1 1');
});

test('the low level speaks between the program and a task', () => {
  assert.equal(run('low-main.mjs'), 'ok');
});

test('the declarations are there', () => {
  for (const name of ['types/index.d.ts', 'types/user/ipc.d.ts', 'types/servers/clock/api.d.ts']) {
    assert.doesNotThrow(() => cpSync(join(project, 'node_modules/l3kernel/dist', name), join(project, 'copy.d.ts')));
  }
});
