/** Wasm tasks whose threads have stacks of their own: a call waits, and the agent does not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { IpcError, lookup } from '../../src/index.ts';
import type { Task } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { wat } from '../support/wat.ts';
import { ALLOC } from './fixtures/wat.ts';
import { fixture, rejectionOf, systemTest, thrownBy, until } from './support.ts';

const options = { kind: 'wasm', thread: 'jspi' } as const;

/** Functions that wait for what they were granted. */
const WAITS = `(module
  (import "host" "slow" (func $slow (param i32) (result i32)))
  (import "host" "text__s_s" (func $text (param i32 i32) (result i32)))
  (import "host" "long" (func $long (param i64) (result i64)))
  (import "host" "real" (func $real (param f64) (result f64)))
  (import "host" "none" (func $none))
  (import "l3" "self" (func $self (result i32)))
  (import "l3" "sender" (func $sender (result i32)))
  (memory (export "memory") 1)
  ${ALLOC}
  (global $inside (mut i32) (i32.const 0))
  (global $most (mut i32) (i32.const 0))
  (func (export "slow") (param i32) (result i32)
    (local $result i32)
    (global.set $inside (i32.add (global.get $inside) (i32.const 1)))
    (if (i32.gt_u (global.get $inside) (global.get $most)) (then (global.set $most (global.get $inside))))
    (local.set $result (i32.add (call $slow (local.get 0)) (i32.const 1)))
    (global.set $inside (i32.sub (global.get $inside) (i32.const 1)))
    (local.get $result))
  (func (export "text__s_s") (param i32 i32) (result i32) (call $text (local.get 0) (local.get 1)))
  (func (export "long") (param i64) (result i64) (i64.add (call $long (local.get 0)) (i64.const 1)))
  (func (export "real") (param f64) (result f64) (f64.mul (call $real (local.get 0)) (f64.const 2)))
  (func (export "loop") (param i32) (loop $again
    (call $none)
    (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "most") (result i32) (global.get $most))
  (func (export "self") (result i32) (call $none) (call $self))
  (func (export "sender") (result i32) (call $none) (call $sender))
  (func (export "trapLater") (call $none) unreachable)
  (func (export "trap") unreachable))`;

const pause = (time_ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time_ms));

const host = {
  slow: async (time_ms: number) => {
    // Below zero: never.
    if (time_ms < 0) await new Promise(() => {});
    await pause(time_ms);
    return time_ms;
  },
  text: async (text: string) => `${text}!`,
  long: async (value: bigint) => value * 2n,
  real: async (value: number) => value + 0.5,
  none: async () => {},
};
const waits = wat(WAITS);

systemTest('jspi: a granted function may give a promise, of every type', async (system) => {
  const t = await system.spawn(waits, { ...options, host });
  assert.equal(await t.async.slow(5), 6);
  assert.equal(await t.async.text('wörld'), 'wörld!');
  assert.equal(await t.async.long(20n), 41n);
  assert.equal(await t.async.real(1), 3);
  assert.equal(await t.async.loop(3), undefined);
  assert.equal(await t.async.most(), 1);
  for (const value of ['1', null, 1n])
    assert.match((await rejectionOf(t.async.slow(value))).message, /must be a number/);
  assert.deepEqual(verify(), []);
});

systemTest('jspi: as many activations as concurrency says, the others wait in their order', async (system) => {
  for (const concurrency of [undefined, 3]) {
    const t = await system.spawn(waits, { ...options, host, concurrency });
    const order: number[] = [];
    await Promise.all([1, 2, 3, 4, 5, 6].map(async (n) => order.push((await t.async.slow(2)) && n)));
    assert.deepEqual(order, [1, 2, 3, 4, 5, 6]);
    assert.equal(t.sync.most(), concurrency ?? 1);
  }
});

systemTest(
  'jspi: a .sync call is a passive activation, and refused while a thread holds the instance',
  async (system) => {
    const t = await system.spawn(waits, { ...options, host: { ...host, real: (x: number) => x } });
    assert.equal(t.sync.real(2), 4);
    const suspended = t.async.slow(20);
    assert.equal(thrownBy(() => t.sync.real(2)).code, 'ERR_IPC_DEADLOCK');
    assert.equal(await suspended, 21);
    assert.equal(t.sync.real(2), 4);
    const error = thrownBy(() => t.sync.slow(1));
    assert.match(error.message, /promise/);
    assert.equal(t.alive, false);
  },
);

systemTest('jspi: timeouts and signals end the wait of the caller', async (system) => {
  const t = await system.spawn(waits, { ...options, host });
  const quick = t.with({ timeout: 20 });
  const waiting = quick.async.slow(60);
  const behind = quick.async.real(1);
  assert.equal((await rejectionOf(t.with({ timeout: 0 }).async.real(1))).phase, 'send');
  assert.equal((await rejectionOf(waiting)).phase, 'receive');
  const error = await rejectionOf(behind);
  assert.ok(error.code === 'ERR_IPC_TIMEOUT' && error.phase === 'send');
  const controller = new AbortController();
  const aborted = t.with({ signal: controller.signal }).async.slow(50);
  controller.abort();
  assert.equal((await rejectionOf(aborted)).code, 'ERR_IPC_ABORTED');
  assert.equal(await t.async.real(1), 3);
});

systemTest(
  'jspi: threads that answer each other at once leave timers, sockets and files their turns',
  async (system) => {
    const two = await Promise.all([1, 2].map(() => system.spawn(waits, { ...options, host, concurrency: 4 })));
    const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(client, 'connect');
    const turns = { timer: 0, socket: 0, file: 0 };
    let isOver = false;
    const timer = setInterval(() => turns.timer++, 1);
    client.on('data', () => {
      turns.socket++;
      if (!isOver) client.write('again');
    });
    client.write('once');
    const read = async (): Promise<void> => {
      for (; !isOver; turns.file++) await readFile(fixture('sums.ts'));
    };
    const reading = read();
    await Promise.all(two.flatMap((t) => [t.async.loop(10_000), t.async.loop(10_000)]));
    isOver = true;
    clearInterval(timer);
    client.destroy();
    server.close();
    await reading;
    for (const [what, count] of Object.entries(turns)) assert.ok(count > 0, what);
  },
);

systemTest('jspi: what waits for itself by promises is ended by the timeout of who called', async (system) => {
  const worker = await system.spawn(fixture('calls.ts'), { concurrency: 1 });
  // The task has one thread, and the call back waits for it.
  let t: Task;
  const ways = [
    (x: number): Promise<unknown> => t.async.real(x),
    (x: number): Promise<unknown> => worker.async.askLater('ring', 'real', x),
  ];
  for (const way of ways) {
    const real = (x: number): Promise<number> => way(x) as Promise<number>;
    t = await system.spawn(waits, { ...options, name: 'ring', host: { ...host, real } });
    const timed = t.with({ timeout: 30 });
    for (const phase of ['receive', 'send']) {
      const error = await rejectionOf(timed.async.real(1));
      assert.equal(error.code, 'ERR_IPC_TIMEOUT');
      assert.equal(error.phase, phase);
    }
    await t.kill();
  }
  assert.equal(await worker.async.add(1, 2), 3);
  assert.deepEqual(verify(), []);
});

systemTest('jspi: a trap behind a wait is the end of the task, and every caller is told', async (system) => {
  const t = await system.spawn(waits, { ...options, host, concurrency: 4, restart: 'on-failure' });
  const others = [1, 2].map(() => rejectionOf(t.async.slow(-1)));
  const error = await rejectionOf(t.async.trapLater());
  assert.equal(error.code, 'ERR_IPC_PEER_GONE');
  assert.match(error.message, /unreachable/);
  for (const other of others) assert.match((await other).message, /unreachable/);
  assert.equal(t.alive, true);
  assert.equal(await t.async.real(1), 3);
  assert.equal((await rejectionOf(t.async.trap())).code, 'ERR_IPC_PEER_GONE');
  const suspended = t.async.slow(-1);
  await until(() => t.alive && t.sync.most() === 1);
  await t.kill();
  assert.match((await rejectionOf(suspended)).message, /killed/);
  assert.equal((await rejectionOf(t.async.real(1))).code, 'ERR_IPC_PEER_GONE');
  assert.deepEqual(verify(), []);
});

/** Calls what it imports of another task. */
const CALLER = `(module
  (import "calls" "add" (func $add (param f64 f64) (result f64)))
  (import "calls" "echo__s_s" (func $echo (param i32 i32) (result i32)))
  (import "calls" "senderOf" (func $there (result f64)))
  (import "l3" "self" (func $self (result i32)))
  (import "l3" "call" (func $call (param i32 i32 f64 f64) (result f64)))
  (import "l3" "call" (func $call0 (param i32 i32) (result i32)))
  (import "l3" "method" (func $method (param i32 i32 i32) (result i32)))
  (import "l3" "status" (func $status (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "add")
  ${ALLOC}
  (func (export "add") (param f64 f64) (result f64) (call $add (local.get 0) (local.get 1)))
  (func (export "echo__s_s") (param i32 i32) (result i32) (call $echo (local.get 0) (local.get 1)))
  (func (export "isMe") (result i32) (i32.eq (i32.trunc_f64_s (call $there)) (call $self)))
  (func (export "byNumber") (param f64 f64) (result f64)
    (call $call (i32.const 0) (call $method (i32.const 0) (i32.const 0) (i32.const 3)) (local.get 0) (local.get 1)))
  (func (export "status") (result i32) (drop (call $call0 (i32.const 0) (i32.const -1))) (call $status)))`;

systemTest('jspi: a task calls workers while its agent goes on, in its own name', async (system) => {
  const worker = await system.spawn(fixture('calls.ts'), { name: 'there' });
  const t = await system.spawn(wat(CALLER), { ...options, concurrency: 8, imports: { calls: worker } });
  assert.equal(await t.async.add(1.5, 2), 3.5);
  assert.equal(t.sync.add(1.5, 2), 3.5);
  assert.equal(await t.async.echo('über'), 'über');
  assert.equal(await t.async.isMe(), 1);
  assert.equal(await t.async.byNumber(20, 22), 42);
  assert.equal(await t.async.status(), 101);
  const sums = await Promise.all(Array.from({ length: 50 }, (_, i) => t.async.add(i, 1)));
  assert.deepEqual(
    sums,
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  await worker.kill();
  assert.equal((await rejectionOf(t.async.add(1, 2))).code, 'ERR_IPC_PEER_GONE');
  assert.deepEqual(verify(), []);
});

systemTest('jspi: a task that is killed while it waits for a worker leaves nothing behind', async (system) => {
  const worker = await system.spawn(fixture('calls.ts'));
  const url = wat(
    '(module (import "calls" "addSlowly" (func $s (param f64 f64 f64) (result f64))) (func (export "run") (drop (call $s (f64.const 1) (f64.const 2) (f64.const 300)))))',
  );
  const t = await system.spawn(url, { ...options, imports: { calls: worker } });
  const waiting = t.async.run();
  await pause(20);
  await t.kill();
  assert.match((await rejectionOf(waiting)).message, /killed/);
  assert.equal(await worker.async.add(1, 2), 3);
  assert.deepEqual(verify(), []);
});

systemTest('jspi: other agents call it, and one that waits does not hold the others', async (system) => {
  const t = await system.spawn(waits, { ...options, host, concurrency: 4, name: 'inner' });
  const clients = await Promise.all([1, 2].map(() => system.spawn(fixture('calls.ts'))));
  const slow = clients[0]!.async.ask('inner', 'slow', 100);
  assert.equal(await clients[1]!.async.ask('inner', 'real', 1), 3);
  assert.equal(await clients[1]!.async.ask('inner', 'text', 'a'), 'a!');
  assert.equal(await slow, 101);
  assert.equal(await lookup('inner').async.real(2), 5);
  const sender = await clients[0]!.async.ask('inner', 'sender');
  assert.ok(typeof sender === 'number' && sender > 0 && sender !== t.id);
  assert.match((await rejectionOf(clients[0]!.async.ask('inner', 'trapLater'))).message, /has ended/);
});

systemTest(
  'jspi: two tasks with stacks call each other, and a ring of them is not held by the agent',
  async (system) => {
    const to = await system.spawn(waits, { ...options, host });
    const url = wat(`(module
    (import "to" "slow" (func $slow (param i32) (result i32)))
    (import "to" "trapLater" (func $trap))
    (func (export "slow") (param i32) (result i32) (i32.add (call $slow (local.get 0)) (i32.const 10)))
    (func (export "trap") (call $trap)))`);
    const from = await system.spawn(url, { ...options, imports: { to } });
    const [a, b] = await Promise.all([from.async.slow(1), to.async.slow(2)]);
    assert.deepEqual([a, b], [12, 3]);
    const error = await rejectionOf(from.async.trap());
    assert.match(error.message, /unreachable/);
    await to.exited;
    const again = await rejectionOf(from.async.slow(1));
    assert.ok(again instanceof IpcError);
  },
);

systemTest("jspi: each thread has its own part of the compiler's stack", async (system) => {
  const url = wat(`(module
    (import "host" "wait" (func $wait (param i32)))
    (memory (export "memory") 8)
    (global $sp (export "__stack_pointer") (mut i32) (i32.const 65536))
    (global $top (mut i32) (i32.const 131072))
    (func (export "l3_alloc") (param i32) (result i32)
      (global.get $top) (global.set $top (i32.add (global.get $top) (local.get 0))))
    (func (export "keep") (param i32) (result i32)
      (local $at i32)
      (global.set $sp (local.tee $at (i32.sub (global.get $sp) (i32.const 16))))
      (i32.store (local.get $at) (local.get 0))
      (call $wait (local.get 0))
      (if (i32.ne (global.get $sp) (local.get $at)) (then unreachable))
      (global.set $sp (i32.add (local.get $at) (i32.const 16)))
      (i32.load (local.get $at))))`);
  const t = await system.spawn(url, { ...options, concurrency: 4, host: { wait: (n: number) => pause(n) } });
  const values = [9, 1, 5, 2, 7, 3, 8, 4];
  assert.deepEqual(await Promise.all(values.map((n) => t.async.keep(n))), values);
});

systemTest('jspi: what cannot be suspended ends the task that tried, and nobody else', async (system) => {
  // The start function, the allocator and frames of JavaScript in between are on no stack of its own.
  const allocator = wat(`(module (import "host" "none" (func $none)) (memory (export "memory") 1)
    (func (export "l3_alloc") (param i32) (result i32) (call $none) (i32.const 64))
    (func (export "take__s") (param i32 i32)))`);
  const t = await system.spawn(allocator, { ...options, host });
  assert.equal((await rejectionOf(t.async.take('text'))).code, 'ERR_IPC_PEER_GONE');
  const start = wat('(module (import "host" "none" (func $none)) (start $none))');
  assert.match((await rejectionOf(system.spawn(start, { ...options, host }))).message, /promise/);
  const nested: Task = await system.spawn(
    wat(`(module (import "host" "in" (func $in)) (import "host" "none" (func $none))
      (func (export "run") (call $in)) (func (export "inner") (call $none)))`),
    { ...options, concurrency: 2, host: { ...host, in: () => void nested.sync.inner() } },
  );
  assert.match((await rejectionOf(nested.async.run())).message, /promise|has ended/);
  const bad = { ...options, kind: 'worker' } as const;
  assert.throws(() => system.spawnSync(fixture('calls.ts'), bad), /'thread' is an option of wasm/);
  assert.throws(() => system.spawnSync(waits, { kind: 'wasm', concurrency: 2 }), /concurrency/);
  assert.deepEqual(verify(), []);
});
