/** Restarts, replacements, and what callers see of them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lookup } from '../../src/index.ts';
import type { System, Task } from '../../src/index.ts';
import { fixture, rejectionOf, sleep, systemTest, tasksOf, thrownBy, until } from './support.ts';

const mortal = fixture('mortal.ts');
const small = { resourceLimits: { maxOldGenerationSizeMb: 30 } };
const GONE = 'ERR_IPC_PEER_GONE';

const restartsOf = (system: System, t: Task<any>): number =>
  system.tasks().find(({ id }) => id === t.id)!.counts['restarts']!;

/** Ways to end that are failures, with the reason each gives. test/crash has every way for every caller. */
const failures = [
  ['exit', [3], 'exit code 3'],
  ['throwSoon', [], 'thrown from a timer'],
  ['rejectSoon', [], 'rejected unseen'],
  ['hoard', [], 'out of memory'],
] as const;

for (const [i, [how, args, reason]] of failures.entries()) {
  systemTest(`after ${how} a task is there again, for blocked callers and others`, async (system) => {
    const t = await system.spawn<any>(mortal, {
      restart: 'on-failure',
      name: 'mortal',
      ...(how === 'hoard' ? small : {}),
    });
    const { id } = t;
    // Callers of this thread, and of another worker: one of the two is blocked.
    const isBlocked = i % 2 === 0;
    const error = isBlocked ? thrownBy(() => t.sync[how](...args)) : await rejectionOf(t.async[how](...args));
    assert.equal(error.code, GONE);
    assert.ok(error.message.includes(reason), error.message);
    assert.equal(isBlocked ? t.sync.add(1, 2) : await t.async.add(1, 2), 3);
    assert.notEqual(t.id, id);
    assert.equal(t.name, 'mortal');
    assert.equal(t.alive, true);
    assert.equal(restartsOf(system, t), 1);
    const other = await system.spawn<any>(mortal);
    const ask = (name: string, ...given: readonly unknown[]): Promise<unknown> =>
      isBlocked ? other.async.askLater('mortal', name, ...given) : other.async.ask('mortal', name, undefined, ...given);
    assert.equal(await ask(how, ...args), GONE);
    assert.equal(await ask('add', 1, 2), 3);
    assert.equal(restartsOf(system, t), 2);
    assert.equal(lookup('mortal').id, t.id);
  });
}

systemTest('the policies: which ends are followed by a restart', async (system) => {
  const t = await system.spawn<any>(mortal, { restart: 'on-failure' });
  assert.equal(thrownBy(() => t.sync.exit(0)).code, GONE);
  assert.equal(thrownBy(() => t.sync.add(1, 2)).code, GONE);
  assert.deepEqual(await t.exited, { code: 0, reason: 'ended by itself' });
  assert.equal(t.alive, false);
  const u = await system.spawn<any>(mortal, { restart: 'always' });
  assert.equal(thrownBy(() => u.sync.exit(0)).code, GONE);
  assert.equal(u.sync.add(1, 2), 3);
  await u.kill();
  assert.equal(thrownBy(() => u.sync.add(1, 2)).code, GONE);
  assert.deepEqual(await u.exited, { code: 1, reason: 'killed' });
  const v = await system.spawn<any>(mortal, { restart: 'never' });
  assert.equal(thrownBy(() => v.sync.exit(3)).code, GONE);
  assert.equal((await rejectionOf(v.async.add(1, 2))).code, GONE);
  for (const bad of [{ restart: 'sometimes' }, { onTimeout: 'die' }, { kind: 'local', onTimeout: 'kill' }]) {
    assert.throws(() => system.spawnSync(mortal, bad as never), TypeError);
  }
  await until(() => tasksOf(system).length === 1);
});

systemTest('a call that arrives during a restart waits within its timeout', async (system) => {
  const options = { restart: 'on-failure', name: 'slow', env: { ...process.env, START_MS: '300' } } as const;
  const t = await system.spawn<any>(mortal, options);
  const other = await system.spawn<any>(mortal);
  const kill = (): void => void thrownBy(() => t.sync.exit(1));
  kill();
  const late = thrownBy(() => t.with({ timeout: 30 }).sync.add(1, 2));
  assert.equal(late.code, 'ERR_IPC_TIMEOUT');
  assert.equal(late.phase, 'send');
  assert.equal((await rejectionOf(t.with({ timeout: 10 }).async.add(1, 2))).code, 'ERR_IPC_TIMEOUT');
  assert.equal(t.sync.add(1, 2), 3);
  kill();
  const order: number[] = [];
  const calls = Array.from({ length: 200 }, (_, i) =>
    t.async.add(i, 1).then((sum: number) => {
      order.push(i);
      return sum;
    }),
  );
  const asked = other.async.ask('slow', 'add', 20_000, 5, 6);
  assert.deepEqual(
    await Promise.all(calls),
    Array.from({ length: 200 }, (_, i) => i + 1),
  );
  assert.deepEqual(
    order,
    Array.from({ length: 200 }, (_, i) => i),
  );
  assert.equal(await asked, 11);
  kill();
  const controller = new AbortController();
  const aborted = rejectionOf(t.with({ signal: controller.signal }).async.add(1, 2));
  await sleep(10);
  controller.abort();
  assert.equal((await aborted).code, 'ERR_IPC_ABORTED');
  assert.equal(await t.async.add(1, 2), 3);
});

systemTest('a call is never executed twice', async (system) => {
  const said: string[] = [];
  const host = { say: (text: string) => said.push(text) };
  const t = await system.spawn<any>(mortal, { restart: 'on-failure', host });
  assert.equal(thrownBy(() => t.sync.sayAndExit()).code, GONE);
  assert.equal((await rejectionOf(t.async.sayAndExit())).code, GONE);
  // The third incarnation has its host functions too.
  assert.equal(t.sync.askHost('still here'), 3);
  assert.deepEqual(said, ['ran', 'ran', 'still here']);
  assert.equal(t.sync.served_(), 1);
});

systemTest('what goes over the side port goes to every incarnation', async (system) => {
  const t = await system.spawn<any>(mortal, { restart: 'on-failure' });
  for (let round = 0; round < 3; round++) {
    const shared = new Int32Array(new SharedArrayBuffer(8));
    (t.sync.echo(shared) as Int32Array)[0] = 17;
    assert.equal(shared[0], 17);
    const back = (await t.async.echo(shared)) as Int32Array;
    back[1] = 18;
    assert.equal(shared[1], 18);
    thrownBy(() => t.sync.exit(1));
  }
});

systemTest(
  'a task that fails again and again is given up',
  async (system) => {
    const t = await system.spawn<any>(mortal, { restart: 'always', name: 'hopeless' });
    let ends = 0;
    while (t.alive && ends < 50) {
      const error = thrownBy(() => t.sync.exit(5));
      assert.equal(error.code, GONE);
      ends++;
      // The end that is final shows in no record until the supervisor has decided on it.
      if (ends > 10) await t.exited;
    }
    assert.equal(ends, 11);
    assert.deepEqual(await t.exited, { code: 5, reason: 'exit code 5' });
    const late = thrownBy(() => t.sync.add(1, 2));
    assert.equal(late.code, GONE);
    assert.match(late.message, /exit code 5/);
    assert.equal((await rejectionOf(t.async.add(1, 2))).code, GONE);
    await until(() => lines.length > 0);
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /'hopeless' is not restarted: .*10 times within a minute.*exit code 5/);
    // Its name is free again.
    assert.equal((await system.spawn<any>(mortal, { name: 'hopeless' })).sync.add(1, 2), 3);
  },
  { log: (line) => lines.push(line) },
);
const lines: string[] = [];

systemTest('a name belongs to its task while that is restarted', async (system) => {
  const env = { ...process.env, START_MS: '150' };
  const t = await system.spawn<any>(mortal, { restart: 'on-failure', name: 'kept', env });
  thrownBy(() => t.sync.exit(1));
  for (let i = 0; i < 50; i++) {
    assert.equal(thrownBy(() => system.spawnSync(mortal, { name: 'kept' })).code, 'ERR_IPC_SPAWN_FAILED');
    if (i % 10 === 0) await sleep(5);
  }
  assert.equal((lookup('kept').sync as any).add(1, 2), 3);
  assert.equal(lookup('kept').id, t.id);
});

systemTest('a task that never was ready is not restarted', async (system) => {
  const options = { restart: 'always', name: 'unborn' } as const;
  for (let i = 0; i < 2; i++) {
    assert.equal((await rejectionOf(system.spawn(fixture('throws.ts'), options))).cause.message, 'the module throws');
    assert.equal(thrownBy(() => system.spawnSync(fixture('throws.ts'), options)).code, 'ERR_IPC_SPAWN_FAILED');
    const refused = thrownBy(() => system.spawnSync(mortal, { ...options, execArgv: ['--no-such-option'] }));
    assert.equal(refused.code, 'ERR_IPC_SPAWN_FAILED');
    assert.equal(refused.cause.code, 'ERR_WORKER_INVALID_EXEC_ARGV');
    const early = thrownBy(() => system.spawnSync(fixture('exits.ts'), options));
    assert.equal(early.code, 'ERR_IPC_SPAWN_FAILED');
    assert.match(early.message, /exit code 9/);
  }
  await until(() => tasksOf(system).length === 1);
});

systemTest(
  'the methods of a module that has changed keep their meaning',
  async (system) => {
    const folder = mkdtempSync(join(tmpdir(), 'l3-'));
    const path = join(folder, 'changing.mjs');
    const exits = 'export const exit = () => process.exit(1);';
    writeFileSync(path, `${exits} export const old = () => 'old'; export const same = () => 'same';`);
    try {
      const t = await system.spawn<any>(path, { restart: 'on-failure' });
      assert.equal(t.sync.old(), 'old');
      writeFileSync(path, `export const another = () => 'another'; export const same = () => 'same, new'; ${exits}`);
      thrownBy(() => t.sync.exit());
      assert.equal(t.sync.same(), 'same, new');
      assert.equal(thrownBy(() => t.sync.old()).code, 'ERR_IPC_NO_SUCH_METHOD');
      // It no longer loads: the last reason is that of the module.
      writeFileSync(path, `throw new Error('broken on disk');`);
      thrownBy(() => t.sync.exit());
      const error = thrownBy(() => t.sync.same());
      assert.equal(error.code, GONE);
      assert.match(error.message, /broken on disk/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  { log: false },
);
