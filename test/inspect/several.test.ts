/**
 * Systems that come, go and stand beside each other: which of them `l3 ps` and `l3 top` show, and what is left of them.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { boot } from '../../src/index.ts';
import { listAddresses } from '../../src/servers/inspect/address.ts';
import type { Inspection, SystemInfo } from '../../src/servers/inspect/protocol.ts';
import { end, eventually, l3, l3Head, place, startSystem } from './support.ts';

const systemOf = async (word: string): Promise<SystemInfo> =>
  (JSON.parse((await l3('ps', word, '--json')).out) as Inspection).system;
const socketsHere = (): string[] =>
  readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.sock'));

test('a system that was shut down is not seen any more, though its process goes on', async () => {
  const system = await boot();
  const task = await system.spawn<typeof import('./fixtures/tasks.ts')>(
    new URL('./fixtures/tasks.ts', import.meta.url),
  );
  const isHere = async (): Promise<boolean> => listAddresses().some(({ pid }) => pid === process.pid);
  assert.equal(await eventually(isHere, (here) => here), true);
  assert.match((await l3('ps', String(process.pid))).out, /^several\.test \(\d+\): up .*\n/);
  assert.equal(task.sync.add(1, 2), 3);
  await system.shutdown();
  assert.equal(await isHere(), false);
});

test('a reader that has enough ends the command in silence', async () => {
  const child = await startSystem('busy', 'calls');
  assert.deepEqual(await l3Head('top', '--count', '100'), { code: 0, err: '' });
  await end(child);
});

test('with several systems ps lists them, top asks which, and a name or a process id chooses', async () => {
  const [a, b] = await Promise.all([startSystem('a', 'calls'), startSystem('b', 'calls')]);
  const { code, out } = await l3('ps');
  assert.equal(code, 0);
  assert.match(out, new RegExp(`^ +PID {2}SYSTEM\\n(?: *${a.pid} {2}a .*\\n *${b.pid} {2}b |.* {2}b .*\\n.* {2}a )`));
  const { systems } = JSON.parse((await l3('ps', '--json')).out) as { systems: { name: string; pid: number }[] };
  assert.deepEqual(
    systems.map(({ pid }) => pid).sort((x, y) => x - y),
    [a.pid!, b.pid!].sort((x, y) => x - y),
  );
  const asked = await l3('top');
  assert.deepEqual([asked.code, asked.out], [1, '']);
  assert.match(asked.err, /which of these\?/);
  assert.equal((await systemOf('b')).pid, b.pid);
  assert.equal((await systemOf(`${a.pid}`)).name, 'a');
  const unknown = await l3('ps', 'nobody');
  assert.deepEqual([unknown.code, unknown.out], [1, '']);
  assert.match(unknown.err, /there is no system 'nobody'/);
  assert.equal(socketsHere().length, 2);
  await Promise.all([end(a), end(b)]);
  assert.equal(socketsHere().length, 2, 'a killed process leaves its socket');
  assert.equal((await l3('ps')).code, 1);
  assert.deepEqual(socketsHere(), [], 'who lists removes it');
});
