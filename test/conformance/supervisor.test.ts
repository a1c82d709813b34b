/** The end of the supervisor, on which everything else depends, and what its starts inherit. */
import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import threads, { Worker } from 'node:worker_threads';
import { boot } from '../../src/index.ts';
import { assertNothingLeft, fixture, guarded, rejectionOf, runProgram, thrownBy } from './support.ts';

const mortal = fixture('mortal.ts');
const GONE = 'ERR_IPC_PEER_GONE';
let supervisor: Worker | null = null;

// The worker that the package starts itself is the supervisor.
threads.Worker = new Proxy(Worker, {
  construct(target, args) {
    supervisor = Reflect.construct(target, args) as Worker;
    return supervisor;
  },
});
syncBuiltinESMExports();

guarded('when the supervisor ends, every call ends, and later ones at once', async () => {
  const system = await boot();
  const t = await system.spawn<any>(mortal, { restart: 'always', onTimeout: 'kill', name: 'kept' });
  const local = await system.spawn<any>(mortal, { kind: 'local' });
  const pending = [...Array(100)].map(() => rejectionOf(t.async.never()));
  await supervisor!.terminate();
  for (const error of await Promise.all(pending)) {
    assert.equal(error.code, GONE);
    assert.match(error.message, /the supervisor of the system has ended/);
  }
  assert.equal(t.alive, false);
  assert.match((await t.exited).reason, /the supervisor of the system has ended/);
  for (const error of [thrownBy(() => t.sync.add(1, 2)), await rejectionOf(t.async.add(1, 2))]) {
    assert.equal(error.code, GONE);
    assert.match(error.message, /the supervisor of the system has ended/);
  }
  const refused = [thrownBy(() => system.spawnSync(mortal)), await rejectionOf(system.spawn(mortal))];
  for (const error of refused) assert.equal(error.code, GONE);
  assert.equal(local.sync.add(1, 2), 3);
  await t.kill();
  await system.shutdown();
  assertNothingLeft();
  const next = await boot();
  assert.equal((await next.spawn<any>(mortal, { name: 'kept' })).sync.add(1, 2), 3);
  await next.shutdown();
  assertNothingLeft();
});

guarded('a blocked caller hears the silence of a supervisor that has ended', async () => {
  const system = await boot();
  const t = await system.spawn<any>(mortal);
  const u = await system.spawn<any>(mortal, { restart: 'always' });
  void supervisor!.terminate();
  const began_ms = performance.now();
  assert.equal(thrownBy(() => t.sync.never()).code, GONE);
  const took_ms = Math.round(performance.now() - began_ms);
  assert.ok(took_ms < 10_000, `${took_ms} ms`);
  // It is known from now on.
  assert.equal(thrownBy(() => u.sync.never()).code, GONE);
  assert.equal(thrownBy(() => system.spawnSync(mortal)).code, 'ERR_IPC_SPAWN_FAILED');
  await system.shutdown();
  assertNothingLeft();
  // What was silent is not this system's supervisor.
  const next = await boot();
  const v = await next.spawn<any>(mortal);
  assert.equal(v.sync.burn(400), 400);
  assert.equal(v.with({ timeout: 20_000 }).sync.add(1, 2), 3);
  await next.shutdown();
  assertNothingLeft();
});

guarded('a supervisor that ends during a shutdown does not hold it up', async () => {
  const system = await boot();
  const t = await system.spawn<any>(mortal);
  void rejectionOf(t.async.loop()).catch(() => {});
  const ended = system.shutdown();
  await supervisor!.terminate();
  await ended;
  assertNothingLeft();
});

guarded('programs with tasks that are restarted, or have spares, end by themselves', async () => {
  for (const mode of ['restarted', 'spare']) {
    const { code, stdout, stderr } = await runProgram('ends.ts', [mode], 20_000);
    assert.equal(stdout.trim(), 'done', `${mode}: ${stderr}`);
    assert.equal(code, 0, mode);
  }
});

guarded('a worker has the options of the program, but for those of the process', async () => {
  const program = 'ends.ts';
  const { stdout, stderr } = await runProgram(program, ['options'], 20_000, [
    '--expose-gc',
    '--stack-trace-limit=7',
    '--conditions=special',
  ]);
  assert.equal(stdout.trim(), '["--conditions=special"] shared from main', stderr);
});
