/** What a wasm task may use up: its time, where the watchdog of the main thread keeps it; calls, depth, tables. */
import assert from 'node:assert/strict';
import type { Task } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { wat } from '../support/wat.ts';
import { ALLOC, CALLS } from './fixtures/wat.ts';
import { fixture, rejectionOf, systemTest, thrownBy, until } from './support.ts';

const kind = 'wasm';
const calls = wat(CALLS);
/** Short enough to wait for, long enough for a crowded machine to run an honest call in. */
const time = 60;
const limits = { time };

const SPINS = wat(`(module
  (import "host" "during" (func $during (param f64) (result f64)))
  (memory (export "memory") 1)
  ${ALLOC}
  (func (export "spin") (loop $again (br $again)))
  (func (export "during") (param f64) (result f64) (call $during (local.get 0)))
  (func (export "duringSpin") (param f64) (drop (call $during (local.get 0))) (loop $again (br $again)))
  (func (export "echo__s_s") (param i32 i32) (result i32) (call $pair (local.get 0) (local.get 1)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`);

const host = { during: (x: number): number => x };

function overran(error: Error & { code?: unknown }): void {
  assert.equal(error.code, 'ERR_IPC_PEER_GONE');
  assert.match(error.message, /longer than limits\.time of 60 ms/);
}

systemTest('limits: a loop is ended wherever it was called from, and the program goes on', async (system) => {
  const t = await system.spawn(SPINS, { kind, host, limits, restart: 'always', name: 'loops' });
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(t.sync.echo('text'), 'text');
  const places: ((call: () => void) => unknown)[] = [
    (call) => call(),
    (call) => void setTimeout(call, 1),
    (call) => void setImmediate(call),
    (call) => process.nextTick(call),
    (call) => void Promise.resolve().then(call),
  ];
  for (const place of places) {
    let caught: Error | null = null;
    let finished = false;
    place(() => {
      try {
        t.sync.spin();
      } catch (error) {
        caught = error as Error;
      } finally {
        finished = true;
      }
    });
    await until(() => finished);
    overran(caught!);
    assert.equal(t.sync.add(1, 2), 3);
    assert.deepEqual(verify(), []);
    // Not five restarts in ten seconds.
    if (place === places[2]) await t.kill();
    if (place === places[2]) Object.assign(t, await system.spawn(SPINS, { kind, host, limits, restart: 'always' }));
  }
});

systemTest('limits: every way into a task is within the limit', async (system) => {
  const start = wat('(module (func $start (loop $again (br $again))) (start $start))');
  assert.match((await rejectionOf(system.spawn(start, { kind, limits }))).message, /longer than limits\.time/);
  const initialize = wat('(module (func (export "_initialize") (loop $again (br $again))))');
  assert.match(thrownBy(() => system.spawnSync(initialize, { kind, limits })).message, /longer than limits\.time/);
  const allocator = wat(`(module (memory (export "memory") 1) (func (export "take__s") (param i32 i32))
    (func (export "l3_alloc") (param i32) (result i32) (loop $again (br $again)) (i32.const 0)))`);
  const t = await system.spawn(allocator, { kind, limits });
  overran(thrownBy(() => t.sync.take('text')));
  assert.equal(t.alive, false);
  const named = await system.spawn(SPINS, { kind, host, limits, name: 'guarded' });
  const w = await system.spawn(fixture('calls.ts'));
  assert.equal(await w.async.ask('guarded', 'add', 1, 2), 3);
  overran(await rejectionOf(w.async.ask('guarded', 'spin')));
  assert.equal(named.alive, false);
  overran(await rejectionOf((await system.spawn(SPINS, { kind, host, limits })).async.spin()));
});

systemTest('limits: a granted function is never interrupted, and its time counts', async (system) => {
  let ended = 0;
  const slow = (x: number): number => {
    const end = performance.now() + 3 * time;
    while (performance.now() < end);
    ended++;
    return x;
  };
  const t = await system.spawn(SPINS, { kind, host: { during: slow }, limits, restart: 'on-failure' });
  for (let i = 1; i <= 3; i++) {
    overran(thrownBy(() => t.sync.duringSpin(1)));
    assert.equal(ended, i);
  }
});

systemTest('limits: who called is told, and who is between ends with the one that loops', async (system) => {
  const inner = await system.spawn(SPINS, { kind, host, limits, restart: 'on-failure' });
  const url = wat(`(module
    (import "inner" "spin" (func $spin))
    (import "l3" "call" (func $call (param i32 i32)))
    (import "l3" "method" (func $method (param i32 i32 i32) (result i32)))
    (import "l3" "status" (func $status (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "spin")
    (func (export "byLink") (call $spin))
    (func (export "byCall") (result i32)
      (call $call (i32.const 0) (call $method (i32.const 0) (i32.const 0) (i32.const 4))) (call $status)))`);
  const unguarded = await system.spawn(url, { kind, imports: { inner }, restart: 'on-failure' });
  assert.equal(unguarded.sync.byCall(), 4);
  overran(thrownBy(() => unguarded.sync.byLink()));
  // The limit is the outer one's: the callee has none, and is lost with the stack that it was on.
  const endless = await system.spawn(SPINS, { kind, host, restart: 'on-failure' });
  const before = endless.id;
  const guarded: Task = await system.spawn(url, { kind, limits, imports: { inner: endless }, restart: 'on-failure' });
  overran(thrownBy(() => guarded.sync.byLink()));
  assert.notEqual(endless.id, before);
  assert.equal(endless.sync.add(1, 2), 3);
  assert.deepEqual(verify(), []);
});

systemTest('limits: calls in a second, and a call beyond them is refused', async (system) => {
  const url = wat(`(module
    (import "calls" "count" (func $count (result i32)))
    (import "l3" "call" (func $call (param i32 i32) (result i32)))
    (import "l3" "method" (func $method (param i32 i32 i32) (result i32)))
    (import "l3" "status" (func $status (result i32)))
    (import "host" "say" (func $say))
    (memory (export "memory") 1) (data (i32.const 0) "count")
    (func (export "flood") (loop $again (drop (call $count)) (br $again)))
    (func (export "say") (loop $again (call $say) (br $again)))
    (func (export "until") (result i32)
      (local $made i32) (local $method i32)
      (local.set $method (call $method (i32.const 0) (i32.const 0) (i32.const 5)))
      (loop $again
        (drop (call $call (i32.const 0) (local.get $method)))
        (local.set $made (i32.add (local.get $made) (i32.const 1)))
        (br_if $again (i32.eqz (call $status))))
      (i32.add (i32.mul (call $status) (i32.const 1000)) (local.get $made))))`);
  let said = 0;
  const spawn = (): Promise<Task> =>
    system.spawn(url, { kind, imports: { calls: neighbour }, host: { say: () => said++ }, limits: { messages: 100 } });
  const neighbour = await system.spawn(calls, { kind });
  const polite = await spawn();
  assert.equal(polite.sync.until(), 9101);
  assert.equal(polite.alive, true);
  assert.match(thrownBy(() => polite.sync.flood()).message, /more than 100 calls in a second/);
  assert.equal(neighbour.sync.count(), 101);
  const talker = await spawn();
  assert.match(thrownBy(() => talker.sync.say()).message, /more than 100 calls/);
  assert.equal(said, 100);
});

systemTest('limits: depth and tables', async (system) => {
  const pass = wat(`(module (import "next" "add" (func $next (param i32 i32) (result i32)))
    (func (export "add") (param i32 i32) (result i32) (call $next (local.get 0) (local.get 1))))`);
  let last: Task = await system.spawn(calls, { kind });
  for (let i = 0; i < 3; i++) last = await system.spawn(pass, { kind, imports: { next: last }, limits: { depth: 4 } });
  assert.equal(last.sync.add(1, 2), 3);
  last = await system.spawn(pass, { kind, imports: { next: last } });
  assert.match(thrownBy(() => last.sync.add(1, 2)).message, /4 activations on the stack/);
  const table = wat(`(module (table 10 funcref) (func (export "grow") (param i32) (result i32)
    (table.grow (ref.null func) (local.get 0))))`);
  const t = await system.spawn(table, { kind, limits: { table: 20 } });
  assert.equal(t.sync.grow(10), 10);
  assert.equal(t.sync.grow(1), -1);
  assert.match((await rejectionOf(system.spawn(table, { kind, limits: { table: 9 } }))).message, /10 table elements/);
  for (const [bad, text] of [
    [{ depth: 65 }, /limits\.depth is 65/],
    [{ messages: 0.5 }, /limits\.messages is 0\.5/],
    [{ time: -1 }, /limits\.time is -1/],
  ] as const) {
    assert.match((await rejectionOf(system.spawn(table, { kind, limits: bad }))).message, text);
  }
  const apart = { kind: 'worker', limits } as const;
  assert.match((await rejectionOf(system.spawn(fixture('calls.ts'), apart))).message, /'limits' is an option of wasm/);
  assert.match((await rejectionOf(system.spawn(table, { kind, thread: 'jspi', limits }))).message, /limits\.time/);
});
