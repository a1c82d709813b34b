/** Booting, spawning, names and ends: the surface around the calls. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { boot, bootSync, here, IpcError, lookup, move, self, task } from '../../src/index.ts';
import type { SpawnOptions, System, Task } from '../../src/index.ts';
import {
  assertNothingLeft,
  fixture,
  guarded,
  rejectionOf,
  runProgram,
  sleep,
  systemTest,
  tasksOf,
  thrownBy,
  until,
} from './support.ts';

const calls = fixture('calls.ts');
const program = fixture('process.ts');

/** Tries a spawn in each way, and gives what each ends with. */
async function failures(system: System, url: URL | string, options: SpawnOptions = {}): Promise<any[]> {
  return [
    await rejectionOf(system.spawn(url, options)),
    thrownBy(() => system.spawnSync(url, options)),
    thrownBy(() => task(url, options).sync.anything()),
    await rejectionOf((task(url, options).async as any).anything()),
  ];
}

guarded('a second boot gives the same system; after shutdown a new one', async () => {
  const system = await boot();
  assert.equal(await boot(), system);
  assert.equal(bootSync(), system);
  await Promise.all([system.shutdown(), system.shutdown()]);
  assertNothingLeft();
  for (let round = 0; round < 3; round++) {
    const next = bootSync();
    assert.notEqual(next, system);
    const t = await next.spawn(calls);
    assert.equal(t.sync.add(round, 1), round + 1);
    assert.equal(await t.async.addSlowly(round, 1, 5), round + 1);
    await next[Symbol.asyncDispose]();
    assertNothingLeft();
  }
});

guarded('shutdown ends calls in flight and later ones', async () => {
  const system = await boot();
  const t = await system.spawn(calls);
  const pending = [
    ...Array.from({ length: 100 }, () => rejectionOf(t.async.addSlowly(1, 2, 1000))),
    rejectionOf(t.async.callLaterWith(() => 1)),
  ];
  await sleep(20);
  const ended = system.shutdown();
  assert.equal((await rejectionOf(system.spawn(calls))).code, 'ERR_IPC_SHUTDOWN');
  await ended;
  for (const error of (await Promise.all(pending)).slice(0, 100))
    assert.equal(error.code, 'ERR_IPC_SHUTDOWN', String(error));
  assert.ok(thrownBy(() => t.sync.add(1, 2)) instanceof IpcError);
  assert.ok((await rejectionOf(t.async.add(1, 2))) instanceof IpcError);
  assertNothingLeft();
});

guarded('outside of a system there is nobody to look up', () => {
  assert.equal(thrownBy(() => lookup('anybody')).code, 'ERR_IPC_NO_SUCH_THREAD');
  assert.equal(thrownBy(() => here.id).code, 'ERR_IPC_NO_SUCH_THREAD');
  assert.equal(self, here);
});

systemTest('unknown and wrong options are refused', async (system) => {
  assert.match((await rejectionOf(boot({ timeuot: 1 } as never))).message, /timeuot/);
  assert.throws(() => bootSync({ timeout: -1 }), RangeError);
  for (const [options, message] of [
    [{ resart: 'always' }, /resart/],
    [{ timeout: -1 }, /timeout/],
    [{ concurrency: 0 }, /concurrency/],
    [{ concurrency: 1.5 }, /concurrency/],
    [{ kind: 'thread' }, /kind.*thread/],
    [{ name: 'n'.repeat(300) }, /longer than/],
  ] as const) {
    assert.match((await rejectionOf(system.spawn(calls, options as never))).message, message);
    assert.match(thrownBy(() => system.spawnSync(calls, options as never)).message, message);
  }
  assert.throws(() => system.spawnSync(5 as never), TypeError);
  assert.equal(tasksOf(system).length, 1);
});

systemTest('a duplicate name is refused, and free again after the end', async (system) => {
  const first = await system.spawn(calls, { name: 'one' });
  for (const kind of ['worker', 'local'] as const) {
    const error = await rejectionOf(system.spawn(calls, { name: 'one', kind }));
    assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
    assert.match(error.message, /'one'/);
  }
  assert.equal(lookup('one').id, first.id);
  await first.kill();
  const second = system.spawnSync(calls, { name: 'one' });
  assert.equal(lookup('one').id, second.id);
  // A task that did not start does not keep its name, not even until its exit.
  assert.equal(thrownBy(() => system.spawnSync(fixture('throws.ts'), { name: 'two' })).code, 'ERR_IPC_SPAWN_FAILED');
  assert.equal(system.spawnSync(calls, { name: 'two' }).sync.add(1, 2), 3);
});

systemTest('a missing module lists what was tried', async (system) => {
  for (const kind of ['worker', 'local'] as const) {
    for (const error of await failures(system, fixture('missing.ts'), { kind })) {
      assert.ok(error instanceof IpcError);
      assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
      assert.match(error.message, /missing\.ts.*missing\.js.*missing\.mjs/);
    }
  }
});

systemTest('what keeps a module from loading is the cause', async (system) => {
  const folder = mkdtempSync(join(tmpdir(), 'l3-'));
  const syntax = join(folder, 'syntax.mjs');
  const imports = join(folder, 'imports.mjs');
  const waits = join(folder, 'waits.mjs');
  writeFileSync(syntax, 'export const broken = ;');
  writeFileSync(imports, "import './not-there.mjs';");
  writeFileSync(waits, 'await new Promise(() => {});');
  try {
    for (const kind of ['worker', 'local'] as const) {
      for (const [url, name, message] of [
        [fixture('throws.ts'), 'RangeError', /the module throws/],
        [pathToFileURL(syntax), 'SyntaxError', /Unexpected token/],
        [imports, 'Error', /not-there/],
      ] as const) {
        // All ways once, the others by one of the two that start a worker in ways of their own.
        const isFirst = url instanceof URL && url.href.endsWith('throws.ts');
        const errors = isFirst ? failures(system, url, { kind }) : [await rejectionOf(system.spawn(url, { kind }))];
        for (const error of await errors) {
          assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED', String(error));
          assert.equal(error.cause.name, name, String(error.cause));
          assert.match(error.cause.message, message);
        }
      }
    }
    const error = thrownBy(() => system.spawnSync(waits));
    assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
    assert.match(error.message, /waits for a promise/);
  } finally {
    rmSync(folder, { recursive: true });
  }
  await until(() => tasksOf(system).length === 1);
});

systemTest('a module may be CommonJS, a sibling file, a path or a string', async (system) => {
  for (const kind of ['worker', 'local'] as const) {
    const modules = [fixture('common.cjs'), fixture('sibling.ts'), calls.href, calls.pathname];
    const [common, sibling, byText, byPath] = await Promise.all(modules.map((url) => system.spawn<any>(url, { kind })));
    assert.equal(common!.sync.add(1, 2), 3);
    assert.equal(await common!.async.later(5), 5);
    assert.equal(sibling!.sync.where(), 'sibling.js');
    assert.equal(byText!.sync.add(1, 2), 3);
    assert.equal(byPath!.sync.add(1, 2), 3);
    assert.equal(system.spawnSync(fixture('common.cjs'), { kind }).sync.add(1, 2), 3);
  }
  assert.equal((await system.spawn(fixture('calls.js'))).name, 'calls');
});

systemTest('args, env, execArgv and resourceLimits reach the worker', async (system) => {
  const t = await system.spawn(program, {
    args: ['one', 2],
    env: { GREETING: 'hello' },
    execArgv: ['--no-warnings'],
    resourceLimits: { maxOldGenerationSizeMb: 40 },
  });
  assert.deepEqual(t.sync.settings(), { args: ['one', '2'], greeting: 'hello', execArgv: ['--no-warnings'] });
  const error = await rejectionOf(t.async.hoard());
  assert.equal(error.code, 'ERR_IPC_PEER_GONE');
  assert.equal((await t.exited).reason, 'out of memory');
  const refused = await rejectionOf(system.spawn(program, { execArgv: ['--no-such-option'] }));
  assert.equal(refused.code, 'ERR_IPC_SPAWN_FAILED');
});

systemTest('what --import names is imported before the module of a task', async (system) => {
  const url = fixture('preloaded.ts');
  const execArgv = ['--import', `${url.href}?first`, `--import=${url.href}?second`];
  const t = await system.spawn<typeof import('./fixtures/preloaded.ts')>(url, { execArgv });
  assert.deepEqual(t.sync.preloaded(), ['?first', '?second', '']);
  const error = await rejectionOf(system.spawn(url, { execArgv: ['--import=./nowhere.js'] }));
  assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
  assert.match(error.message, /nowhere\.js/);
});

systemTest('tasks() tells what every task does', async (system) => {
  const t = await system.spawn(calls, { name: 'told' });
  await sleep(20);
  const info = system.tasks().find((line) => line.name === 'told')!;
  assert.equal(info.id, t.id);
  assert.equal(info.kind, 'worker');
  assert.equal(info.state, 'receiving');
  const burning = t.async.burn(60);
  await sleep(20);
  assert.equal(system.tasks().find((line) => line.name === 'told')!.state, 'running');
  await burning;
});

systemTest('cancel ends a wait from another thread', async (system) => {
  const t = await system.spawn(calls, { name: 'callee' });
  const u = await system.spawn(calls, { name: 'waiter' });
  const blocked = rejectionOf(u.async.ask('callee', 'addSlowly', 1, 2, 20_000));
  await until(() => system.tasks().find((line) => line.id === u.id)!.partner === t.id);
  assert.equal(system.cancel(u.id), true);
  assert.equal((await blocked).code, 'ERR_IPC_ABORTED');
  assert.equal(u.sync.add(1, 2), 3);
  assert.equal(system.cancel((u.id + 0x10000) as never), false);
});

systemTest('a task spawns tasks of its own, which belong to another clan', async (system) => {
  const parent = await system.spawn(program, { name: 'parent' });
  const childId = await parent.async.spawnChild('child');
  assert.equal(parent.sync.addByChild(1, 2), 3);
  assert.equal(await parent.async.addByChildLater(1, 2), 3);
  assert.equal(parent.sync.childAsksHost(), 'hello you');
  assert.deepEqual(parent.sync.identityOfChild(), { id: childId, chief: parent.id });
  // The grandchild is of the parent's clan, and its chief takes no messages for it.
  assert.equal(thrownBy(() => lookup('child').sync.add(1, 2)).code, 'ERR_IPC_DENIED');
  const uncle = await system.spawn(program, { name: 'uncle' });
  assert.equal(uncle.sync.lookUp('child'), 'ERR_IPC_DENIED');
  assert.equal(uncle.sync.lookUp('parent'), 3);
  await parent.async.killChild();
  await until(() => system.tasks().every((line) => line.name !== 'child'));
  assert.equal(parent.sync.add(1, 2), 3);
});

systemTest('a task takes those that it spawned along when it ends', async (system) => {
  const parent = await system.spawn(program, { name: 'parent' });
  await parent.async.spawnChild('child');
  assert.equal(tasksOf(system).length, 3);
  await parent.kill();
  assert.equal(tasksOf(system).length, 1);
  const again = await system.spawn(program, { name: 'parent' });
  await again.async.spawnChildSync('child');
  assert.equal(again.sync.addByChild(1, 2), 3);
});

systemTest('the timeout of a task is for calls to it, not for those it makes', async (system) => {
  await system.spawn(calls, { name: 'slow' });
  const t = await system.spawn(program, { timeout: 40 });
  assert.equal(await t.with({ timeout: 1000 } as any).async.waitFor('slow'), 3);
});

systemTest('move() transfers a buffer', async (system) => {
  for (const kind of ['worker', 'local'] as const) {
    const t = await system.spawn(calls, { kind });
    const buffer = new Uint8Array([1, 2, 3]).buffer;
    const back = t.sync.echo(move(buffer));
    assert.equal(buffer.byteLength, 0);
    assert.deepEqual([...new Uint8Array(back)], [1, 2, 3]);
    const view = new Uint8Array(2 << 20).fill(5);
    const length = await t.async.echo(move(view));
    assert.equal(view.length, 0);
    assert.equal(length.length, 2 << 20);
  }
  assert.throws(() => move({} as never), TypeError);
});

guarded('tasks and threads have limits, and room again afterwards', async () => {
  const system = await boot({ limits: { tasks: 4, threads: 64 } });
  const tasks: Task[] = [];
  for (let i = 0; i < 3; i++) tasks.push(await system.spawn(calls, { kind: 'local' }));
  for (const kind of ['worker', 'local'] as const) {
    assert.equal((await rejectionOf(system.spawn(calls, { kind }))).code, 'ERR_IPC_LIMIT');
    assert.equal(thrownBy(() => system.spawnSync(calls, { kind })).code, 'ERR_IPC_LIMIT');
  }
  await tasks[0]!.kill();
  assert.equal((await system.spawn(calls)).sync.add(1, 2), 3);
  await system.shutdown();
  const small = await boot({ limits: { threads: 7 } });
  const t = await small.spawn(calls);
  assert.deepEqual(
    await Promise.all(Array.from({ length: 50 }, (_, i) => t.async.add(i, 1))),
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  assert.equal((await rejectionOf(small.spawn(calls))).code, 'ERR_IPC_LIMIT');
  await small.shutdown();
  assertNothingLeft();
});

guarded('one call at a time is enough', async () => {
  const system = await boot({ limits: { calls: 1 } });
  const spawning = system.spawn(calls);
  const t = await system.spawn(calls, { kind: 'local' });
  assert.equal(t.sync.add(1, 2), 3);
  const u = await spawning;
  const sums = await Promise.all([u.async.add(1, 2), u.async.addSlowly(1, 2, 5), u.async.add(3, 4)]);
  assert.deepEqual(sums, [3, 3, 7]);
  // A spawn takes a call's place for a time: the calls go on afterwards.
  const [v, sum] = await Promise.all([system.spawn(calls), u.async.add(5, 6)]);
  assert.equal(sum, 11);
  assert.equal(v.sync.add(1, 2), 3);
  await system.shutdown();
  assertNothingLeft();
});

systemTest('kill() of a task() ends it while its program never comes to its event loop', async (system) => {
  const t = task<any>(calls);
  t.sync.add(1, 2);
  const { id } = t;
  const killed = t.kill();
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  const limit_ms = performance.now() + 5000;
  while (system.tasks().some((info) => info.id === id)) {
    assert.ok(performance.now() < limit_ms, 'it lives');
    Atomics.wait(nothing, 0, 0, 10);
  }
  await killed;
});

systemTest('task() starts at its first call, once, however it is called', async (system) => {
  const t = task<any>(calls, { name: 'lazy' });
  assert.equal(tasksOf(system).length, 1);
  const { add } = t.sync;
  const first = t.async.add(1, 2);
  assert.equal(add(3, 4), 7);
  assert.equal(await first, 3);
  assert.equal(tasksOf(system).length, 2);
  assert.equal(t.name, 'lazy');
  assert.equal(lookup('lazy').id, t.id);
  assert.equal(t.with({ timeout: 1000 }).sync.add(1, 2), 3);
  assert.equal((t.sync as any).then, undefined);
  assert.equal(thrownBy(() => t.sync.ad(1, 2)).code, 'ERR_IPC_NO_SUCH_METHOD');
  const u = task<any>(calls);
  assert.equal((u.async as any).then, undefined);
  assert.equal(await u.with({ timeout: 1000 }).async.add(1, 2), 3);
  assert.equal((await rejectionOf(task<any>(calls).async.ad(1, 2))).code, 'ERR_IPC_NO_SUCH_METHOD');
  await t.kill();
  assert.equal(t.alive, false);
});

guarded('boot in a worker of a process without a system makes one of its own', async () => {
  const worker = new Worker(fixture('own-system.ts'));
  const [message] = await new Promise<any[]>((resolve) => worker.once('message', (value) => resolve([value])));
  assert.deepEqual(message, { sum: 3, names: ['main', 'inside', 'supervisor'], found: 'ERR_IPC_NO_SUCH_THREAD' });
  await new Promise((resolve) => worker.once('exit', resolve));
  assertNothingLeft();
});

guarded('a process ends by itself when nothing is pending', async () => {
  const modes = [
    ['idle', 'done'],
    ['lazy', 'done'],
    ['pending', 'answered 3'],
    ['timers', 'ticked'],
    ['lazy-timers', 'done'],
    ['after-shutdown', 'done'],
  ] as const;
  // Two at a time.
  const left = modes.values();
  const runSome = async (): Promise<void> => {
    for (const [mode, output] of left) {
      const { code, stdout, stderr } = await runProgram('ends.ts', [mode], 10_000);
      assert.equal(stdout.trim(), output, `${mode}: ${stderr}`);
      assert.equal(code, 0, mode);
    }
  };
  await Promise.all([runSome(), runSome()]);
});
