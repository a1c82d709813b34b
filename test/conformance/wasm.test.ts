/** Tasks in linear memories: what holds for them and for no other kind, beside what the suite asks of every kind. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { IpcError, lookup } from '../../src/index.ts';
import { drainInbox } from '../../src/kernel/dispatch.ts';
import { firstInQueue } from '../../src/kernel/queue.ts';
import { PROCESSOR_INBOX } from '../../src/layout/task.ts';
import { agent } from '../../src/user/agent.ts';
import { wasm, wat } from '../support/wat.ts';
import { ALLOC, CALLS } from './fixtures/wat.ts';
import { fixture, rejectionOf, systemTest, thrownBy, until } from './support.ts';

const calls = wat(CALLS);
const kind = 'wasm';

systemTest('wasm: numbers go as parameters and come back', async (system) => {
  const t = await system.spawn(calls, { kind, name: 'calls' });
  assert.equal(t.kind, 'wasm');
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(t.sync.add(-(2 ** 31), -1), 2 ** 31 - 1);
  assert.equal(t.sync.mul(1.5, -2), -3);
  assert.equal(t.sync.half(3), 1.5);
  assert.equal(t.sync.six(1, 2, 3, 4.5, 5.5, 6), 22);
  assert.equal(t.sync.long(41n), 42n);
  assert.equal(t.sync.nothing(), undefined);
  assert.equal(await t.async.add(1, 2), 3);
  assert.equal(t.sync.count(), 1);
  assert.equal(await t.async.count(), 2);
  const { add } = t.sync;
  assert.equal(add(20, 22), 42);
});

systemTest('wasm: an argument of another type is refused before anything runs', async (system) => {
  const t = await system.spawn(calls, { kind, name: 'strict' });
  const evil = { valueOf: () => assert.fail('the argument was asked for its value') };
  for (const value of ['1', null, undefined, 1n, true, evil, Symbol('s')]) {
    const error = thrownBy(() => t.sync.add(1, value));
    assert.ok(error instanceof TypeError);
    assert.match(error.message, /^strict\.add\(\): argument 2 must be a number, not /);
    assert.ok((await rejectionOf(t.async.add(1, value))) instanceof TypeError);
  }
  assert.match(thrownBy(() => t.sync.long(1)).message, /must be a bigint, not number/);
  assert.match(thrownBy(() => t.sync.echo(1)).message, /must be a string, not number/);
  assert.match(thrownBy(() => t.sync.copy([1])).message, /must be a Uint8Array, not an array/);
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(t.alive, true);
});

systemTest(
  'wasm: a call of another agent that is about to be served is no deadlock for one of this agent',
  async (system) => {
    const t = await system.spawn(calls, { kind, name: 'calls' });
    const worker = await system.spawn<typeof import('./fixtures/calls.ts')>(fixture('calls.ts'));
    const asked = worker.async.ask('calls', 'add', 1, 2);
    const inbox = agent.processor + PROCESSOR_INBOX;
    // In place, so that the loop does not serve it.
    while (firstInQueue(inbox) === 0);
    drainInbox(agent.processor);
    assert.equal(t.sync.add(20, 22), 42);
    assert.equal(await asked, 3);
    assert.equal(t.sync.count(), 1);
  },
);

systemTest('wasm: strings and bytes go by address and length', async (system) => {
  const t = await system.spawn(calls, { kind });
  for (const text of ['', 'a', 'ü€𝄞', '\ufeffwith a mark', 'x'.repeat(300_000), '\0zero']) {
    assert.equal(t.sync.echo(text), text);
    assert.equal(t.sync.length(text), Buffer.byteLength(text));
    assert.equal(t.sync.join(text, 'ß'), `${text}ß`);
  }
  assert.equal(t.sync.echo('\ud800'), '\ufffd');
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7);
  const back = t.sync.copy(bytes) as Uint8Array;
  assert.deepEqual(back, bytes);
  assert.equal(Object.getPrototypeOf(back), Uint8Array.prototype);
  back.fill(0);
  assert.deepEqual(t.sync.copy(bytes.subarray(10, 20)), bytes.slice(10, 20));
});

systemTest('wasm: two tasks of one module share nothing', async (system) => {
  const a = await system.spawn(calls, { kind });
  const b = system.spawnSync(calls, { kind });
  assert.equal(a.sync.count(), 1);
  assert.equal(a.sync.count(), 2);
  assert.equal(b.sync.count(), 1);
  assert.notEqual(a.id, b.id);
});

systemTest('wasm: a file is found by its extension, and read anew when it has changed', async (system) => {
  const folder = mkdtempSync(join(tmpdir(), 'l3-wasm-'));
  try {
    const path = join(folder, 'answer.wasm');
    const answer = (value: number): Uint8Array =>
      wasm(`(module (func (export "answer") (result i32) (i32.const ${value})))`);
    writeFileSync(path, answer(1));
    const t = await system.spawn(pathToFileURL(path));
    assert.equal(t.kind, 'wasm');
    assert.equal(t.name, 'answer');
    assert.equal(t.sync.answer(), 1);
    writeFileSync(path, answer(1_000_000));
    assert.equal((await system.spawn(pathToFileURL(path))).sync.answer(), 1_000_000);
    writeFileSync(path, 'no module');
    const error = await rejectionOf(system.spawn(pathToFileURL(path)));
    assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
    assert.ok(error.cause instanceof WebAssembly.CompileError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

systemTest('wasm: stubs, names, lookup and kill are those of any task', async (system) => {
  const t = await system.spawn(calls, { kind, name: 'named' });
  const error = thrownBy(() => t.sync.ad(1, 2));
  assert.ok(error instanceof IpcError);
  assert.match(error.message, /'named'.*did you mean 'add'/s);
  assert.ok(!Object.keys(t.sync).includes('l3_alloc'));
  const found = lookup('named');
  assert.equal(found.kind, 'wasm');
  assert.equal(found.id, t.id);
  assert.equal(found.sync.add(1, 2), 3);
  assert.equal(found.sync.echo('by name'), 'by name');
  assert.equal(await found.async.add(1, 2), 3);
  assert.equal(system.tasks().find(({ name }) => name === 'named')!.kind, 'wasm');
  const reason = new Error('no more');
  const stubs = t.with({ signal: AbortSignal.abort(reason) });
  assert.equal(thrownBy(() => stubs.sync.add(1, 2)).cause, reason);
  assert.equal((await rejectionOf(stubs.async.add(1, 2))).code, 'ERR_IPC_ABORTED');
  await t.kill();
  assert.deepEqual(await t.exited, { code: 1, reason: 'killed' });
  assert.equal(t.alive, false);
  for (const gone of [thrownBy(() => t.sync.add(1, 2)), thrownBy(() => found.sync.add(1, 2))]) {
    assert.equal(gone.code, 'ERR_IPC_PEER_GONE');
  }
  assert.equal((await rejectionOf(t.async.add(1, 2))).code, 'ERR_IPC_PEER_GONE');
  assert.equal((await system.spawn(calls, { kind, name: 'named' })).sync.add(1, 2), 3);
});

systemTest('wasm: a trap, a stack overflow and a wild result are the end of the task', async (system) => {
  const faults: [call: (t: any) => unknown, text: RegExp][] = [
    [(t) => t.sync.trap(), /unreachable/],
    [(t) => t.sync.divide(1, 0), /divide by zero/],
    [(t) => t.sync.recurse(1), /stack overflow/],
    [(t) => t.sync.wild(-4), /8 bytes at address 4294967292 are not within its memory/],
    [(t) => t.sync.wild(65_535), /not within its memory/],
  ];
  const neighbour = await system.spawn(calls, { kind });
  for (const [fault, text] of faults) {
    const t = await system.spawn(calls, { kind, name: 'mortal' });
    const error = thrownBy(() => fault(t));
    assert.ok(error instanceof IpcError, String(error));
    assert.equal(error.code, 'ERR_IPC_PEER_GONE');
    assert.match(error.message, text);
    assert.ok(error.cause instanceof Error);
    assert.match((await t.exited).reason, text);
    assert.equal(t.alive, false);
    assert.match(thrownBy(() => t.sync.add(1, 2)).message, text);
    assert.equal(neighbour.sync.add(1, 2), 3);
  }
});

systemTest('wasm: restart gives a new instance under the same stub, and gives up in the end', async (system) => {
  const t = await system.spawn(calls, { kind, name: 'again', restart: 'on-failure' });
  assert.equal(t.sync.count(), 1);
  const before = t.id;
  assert.equal(thrownBy(() => t.sync.trap()).code, 'ERR_IPC_PEER_GONE');
  assert.equal(t.alive, true);
  assert.equal(t.sync.count(), 1);
  assert.notEqual(t.id, before);
  assert.equal(lookup('again').sync.count(), 2);
  for (let i = 0; i < 5; i++) thrownBy(() => t.sync.trap());
  assert.equal(t.alive, false);
  assert.equal((await t.exited).reason, 'unreachable');
});

systemTest('wasm: what was not granted is refused with the list', async (system) => {
  const url = wat(`(module
    (import "env" "one" (func (param i32)))
    (import "env" "two" (func (result f64)))
    (import "l3" "peek" (func (param i32) (result i32)))
    (import "l3" "self" (func (param i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (import "env" "g" (global i32))
    (import "env" "ref" (func (param externref))))`);
  const imports = { env: { ref: () => {} } };
  const error = await rejectionOf(system.spawn(url, { kind, imports }));
  assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
  for (const name of ['env.one', 'env.two', 'l3.peek', 'l3.self', 'fd_write', 'env.g', 'env.ref']) {
    assert.ok(error.message.includes(name), `${name} in: ${error.message}`);
  }
  const inherited = wat('(module (import "env" "toString" (func)) (import "constructor" "name" (func)))');
  assert.match((await rejectionOf(system.spawn(inherited, { kind, imports: { env: {} } }))).message, /toString.*name/s);
});

systemTest('wasm: a granted function is an upcall', async (system) => {
  const url = wat(`(module
    (import "env" "twice" (func $twice (param f64) (result f64)))
    (import "env" "greet__s_s" (func $greet (param i32 i32) (result i32)))
    (import "host" "log__sb" (func $log (param i32 i32 i32 i32)))
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "l3_alloc") (param i32) (result i32)
      (global.get $top) (global.set $top (i32.add (global.get $top) (local.get 0))))
    (func (export "twice") (param f64) (result f64) (call $twice (local.get 0)))
    (func (export "greet__s_s") (param i32 i32) (result i32) (call $greet (local.get 0) (local.get 1)))
    (func (export "log__s") (param i32 i32) (call $log (local.get 0) (local.get 1) (local.get 0) (i32.const 2)))
    (func (export "wild") (param i32 i32) (call $log (local.get 0) (local.get 1) (i32.const 0) (i32.const 0))))`);
  const lines: unknown[] = [];
  let answer: (x: number) => unknown = (x) => x * 2;
  const imports = { env: { twice: (x: number) => answer(x), greet: (name: string) => `hello ${name}` } };
  const host = { log: (...args: unknown[]) => lines.push(...args) };
  const options = { kind, imports, host, restart: 'always' } as const;
  const t = await system.spawn(url, options);
  assert.equal(t.sync.twice(21), 42);
  assert.equal(t.sync.greet('wörld'), 'hello wörld');
  t.sync.log('abc');
  assert.deepEqual(lines, ['abc', new Uint8Array([97, 98])]);
  const wrong: [answer: (x: number) => unknown, text: RegExp][] = [
    [() => 'text', /env\.twice: it must give a value of type f64, and gave string/],
    [async () => 1, /promise/],
    [
      () => {
        throw new RangeError('the host is out');
      },
      /the host is out/,
    ],
    [(x) => t.sync.twice(x), /wait for itself/],
  ];
  for (const [next, text] of wrong) {
    answer = next;
    const error = thrownBy(() => t.sync.twice(1));
    assert.equal(error.code, 'ERR_IPC_PEER_GONE');
    assert.match(error.message, text);
  }
  answer = (x) => x + 1;
  assert.equal(t.sync.twice(1), 2);
  assert.match(thrownBy(() => t.sync.wild(-1, 5)).message, /not within its memory/);
});

/** Two tasks, the first of which imports functions of the second. */
const CALLER = `(module
  (import "calls" "add" (func $add (param i32 i32) (result i32)))
  (import "calls" "mul" (func $mul (param f64 f64) (result f64)))
  (import "calls" "trap" (func $trap))
  (import "calls" "echo__s_s" (func $echo (param i32 i32) (result i32)))
  (import "calls" "copy__b_b" (func $copy (param i32 i32) (result i32)))
  (import "calls" "wild__n_s" (func $wild (param i32) (result i32)))
  (import "l3" "task" (func $task (param i32 i32) (result i32)))
  (import "l3" "method" (func $method (param i32 i32 i32) (result i32)))
  (import "l3" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "l3" "call" (func $call0 (param i32 i32)))
  (import "l3" "status" (func $status (result i32)))
  (import "l3" "self" (func $self (result i32)))
  (memory (export "memory") 3)
  (data (i32.const 0) "calls")
  ${ALLOC}
  (func (export "add") (param i32 i32) (result i32) (call $add (local.get 0) (local.get 1)))
  (func (export "mul") (param f64 f64) (result f64) (call $mul (local.get 0) (local.get 1)))
  (func (export "trap") (call $trap))
  (func (export "echo__s_s") (param i32 i32) (result i32) (call $echo (local.get 0) (local.get 1)))
  (func (export "copy__b_b") (param i32 i32) (result i32) (call $copy (local.get 0) (local.get 1)))
  (func (export "echoWild") (param i32 i32) (drop (call $echo (local.get 0) (local.get 1))))
  (func (export "wild") (param i32) (drop (call $wild (local.get 0))))
  (func (export "task") (result i32) (call $task (i32.const 0) (i32.const 5)))
  (func (export "method__s_n") (param i32 i32) (result i32)
    (call $method (call $task (i32.const 0) (i32.const 5)) (local.get 0) (local.get 1)))
  (func (export "call") (param i32 i32 i32 i32) (result i32)
    (call $call (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "call0") (param i32 i32) (call $call0 (local.get 0) (local.get 1)))
  (func (export "status") (result i32) (call $status))
  (func (export "self") (result i32) (call $self)))`;

systemTest('wasm: a task calls another through its imports, by direct switch', async (system) => {
  const to = await system.spawn(calls, { kind, restart: 'on-failure' });
  const from = await system.spawn(wat(CALLER), { kind, imports: { calls: to }, restart: 'on-failure' });
  assert.equal(from.sync.add(1, 2), 3);
  assert.equal(from.sync.mul(1.5, 4), 6);
  assert.equal(from.sync.self(), from.id);
  for (const text of ['', 'short', 'ü'.repeat(40_000)]) assert.equal(from.sync.echo(text), text);
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i * 3);
  assert.deepEqual(from.sync.copy(bytes), bytes);
  // A pointer of the caller's that is wild is the caller's fault, a result that is wild the callee's.
  const ids = [from.id, to.id];
  assert.match(thrownBy(() => from.sync.echoWild(-1, 1)).message, /not within its memory/);
  assert.ok(from.id !== ids[0] && to.id === ids[1]);
  assert.match(thrownBy(() => from.sync.wild(-1)).message, /not within its memory/);
  assert.notEqual(to.id, ids[1]);
  // The link finds the callee's next instance.
  assert.match(thrownBy(() => from.sync.trap()).message, /unreachable/);
  assert.equal(from.sync.add(1, 2), 3);
  await to.kill();
  const error = thrownBy(() => from.sync.add(1, 2));
  assert.match(error.message, /killed/);
});

systemTest('wasm: l3.call answers with a status, and the caller lives on', async (system) => {
  const to = await system.spawn(calls, { kind, name: 'callee' });
  const from = await system.spawn(wat(CALLER), { kind, imports: { calls: to } });
  const handle = from.sync.task();
  const number = (name: string): number => from.sync.method(name);
  assert.equal(handle, 0);
  assert.equal(number('echo'), -1);
  assert.equal(number('no such'), -1);
  assert.equal(from.sync.call(handle, number('add'), 20, 22), 42);
  assert.equal(from.sync.status(), 0);
  for (const [bad, method] of [
    [7, 0],
    [-1, 0],
    [0, 1000],
    [0, -1],
    [0, number('nothing')],
  ] as const) {
    assert.equal(from.sync.call(bad, method, 1, 2), 0);
    assert.equal(from.sync.status(), 101);
  }
  from.sync.call0(handle, number('trap'));
  assert.equal(from.sync.status(), 4);
  assert.equal((await to.exited).reason, 'unreachable');
  from.sync.call(handle, number('add'), 1, 2);
  assert.equal(from.sync.status(), 4);
  assert.equal(from.alive, true);
});

const module = fixture('calls.ts');

systemTest('wasm: workers call a wasm task of this agent, through its queue', async (system) => {
  const t = await system.spawn(calls, { kind, name: 'inner', restart: 'on-failure' });
  const clients = await Promise.all([1, 2, 3].map(() => system.spawn(module)));
  const [w] = clients;
  assert.equal(await w!.async.ask('inner', 'add', 1, 2), 3);
  assert.equal(await w!.async.ask('inner', 'mul', 1.5, 2), 3);
  assert.equal(await w!.async.ask('inner', 'long', 1n), 2n);
  for (const text of ['', 'ü', 'x'.repeat(200_000)])
    assert.equal(await w!.async.ask('inner', 'join', text, '!'), `${text}!`);
  assert.deepEqual(await w!.async.ask('inner', 'copy', new Uint8Array([1, 2])), new Uint8Array([1, 2]));
  assert.match((await rejectionOf(w!.async.ask('inner', 'add', 1, '2'))).message, /argument 2 must be a number/);
  const calls100 = Array.from({ length: 100 }, (_, i) => clients[i % 3]!.async.ask('inner', 'count'));
  assert.deepEqual(
    ((await Promise.all(calls100)) as number[]).toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  assert.equal(t.sync.count(), 101);
  const error = await rejectionOf(w!.async.ask('inner', 'trap'));
  assert.equal(error.code, 'ERR_IPC_PEER_GONE');
  assert.match(error.message, /inner\.trap\(\): the task has ended: unreachable/);
  // A stub of the next instance: the fault is acted upon once the caller has its answer.
  await until(() => t.sync.count() === 1);
  assert.equal(await clients[1]!.async.ask('inner', 'count'), 2);
});

systemTest(
  'wasm: a stub held elsewhere goes on working after a restart, and says why when it does not',
  async (system) => {
    const t = await system.spawn(calls, { kind, name: 'held', restart: 'on-failure' });
    const holder = await system.spawn(fixture('holder.ts'));
    await holder.async.hold('held');
    for (let i = 0; i < 3; i++) {
      assert.equal(await holder.async.call('count'), 1);
      assert.equal(await holder.async.call('count'), 2);
      assert.match((await rejectionOf(holder.async.call('trap'))).message, /unreachable/);
    }
    assert.equal(t.sync.count(), 1);
    await t.kill();
    const error = await rejectionOf(holder.async.call('count'));
    assert.equal(error.code, 'ERR_IPC_PEER_GONE');
    assert.match(error.message, /killed/);
  },
);

systemTest('wasm: the answer of a task that ends right behind it is not lost', async (system) => {
  const w = await system.spawn(module);
  for (let i = 0; i < 80; i++) {
    const t = await system.spawn(calls, { kind, name: `brief-${i}` });
    const error = await rejectionOf(w.async.ask(t.name, 'trap'));
    assert.match(error.message, /the task has ended: unreachable/);
    await t.exited;
  }
});

systemTest('wasm: a wasm task calls workers and local tasks, and local tasks call it', async (system) => {
  const url = wat(`(module
    (import "calls" "add" (func $add (param f64 f64) (result f64)))
    (import "calls" "echo__s_s" (func $echo (param i32 i32) (result i32)))
    (import "calls" "senderOf" (func $sender (result f64)))
    (import "calls" "fail__s" (func $fail (param i32 i32)))
    (import "l3" "sender" (func $caller (result i32)))
    (memory (export "memory") 1)
    ${ALLOC}
    (func (export "add") (param f64 f64) (result f64) (call $add (local.get 0) (local.get 1)))
    (func (export "echo__s_s") (param i32 i32) (result i32) (call $echo (local.get 0) (local.get 1)))
    (func (export "senderThere") (result f64) (call $sender))
    (func (export "sender") (result i32) (call $caller))
    (func (export "fail__s") (param i32 i32) (call $fail (local.get 0) (local.get 1))))`);
  for (const other of ['worker', 'local'] as const) {
    const to = await system.spawn(module, { kind: other });
    const from = await system.spawn(url, { kind, name: `from-${other}`, imports: { calls: to } });
    assert.equal(from.sync.add(1.5, 2), 3.5);
    assert.equal(from.sync.echo('über'), 'über');
    assert.equal(from.sync.senderThere(), from.id);
    const main = system.tasks().find((info) => info.kind === 'main')!;
    assert.equal(typeof from.sync.sender(), 'number');
    assert.notEqual(from.sync.sender(), from.id);
    assert.ok(main.id > 0);
    const asked = other === 'local' ? to.sync.ask(from.name, 'add', 1, 2) : await to.async.ask(from.name, 'sender');
    assert.ok(asked > 0);
    // An error of the callee goes through the caller's frames: it ends the caller, and says why.
    const error = thrownBy(() => from.sync.fail('on purpose'));
    assert.equal(error.code, 'ERR_IPC_PEER_GONE');
    assert.match(error.message, /on purpose/);
    assert.equal(to.sync.add(1, 2), 3);
    await to.kill();
  }
});

systemTest('wasm: a task that is killed in an activation is left at once', async (system) => {
  let action: () => void = () => {};
  const url = wat(`(module
    (import "host" "act" (func $act))
    (import "host" "after" (func $after))
    (func (export "run") (call $act) (call $after)))`);
  let after = 0;
  const host = { act: () => action(), after: () => after++ };
  const inner = await system.spawn(url, { kind, host, name: 'inner' });
  const outer = await system.spawn(
    wat(`(module
    (import "inner" "run" (func $run))
    (import "host" "after" (func $after))
    (func (export "run") (call $run) (call $after)))`),
    { kind, host, imports: { inner }, name: 'outer' },
  );
  action = () => void outer.kill();
  assert.match(thrownBy(() => outer.sync.run()).message, /outer\.run\(\): the task has ended: killed/);
  assert.equal(after, 1, 'the callee went on, its caller did not');
  assert.equal(inner.alive, true);
  action = () => void inner.kill();
  assert.match(thrownBy(() => inner.sync.run()).message, /killed/);
  assert.equal(after, 1);
  // Killed while it serves a worker.
  const again = await system.spawn(url, { kind, host, name: 'again' });
  const w = await system.spawn(module);
  action = () => void again.kill();
  assert.equal((await rejectionOf(w.async.ask('again', 'run'))).code, 'ERR_IPC_PEER_GONE');
  assert.equal(again.alive, false);
});

systemTest('wasm: a module in a worker of its own can be ended while it loops', async (system) => {
  const folder = mkdtempSync(join(tmpdir(), 'l3-wasm-'));
  try {
    const path = join(folder, 'apart.wasm');
    writeFileSync(
      path,
      wasm(`(module
        (import "env" "twice" (func $twice (param f64) (result f64)))
        (import "host" "log__s" (func $log (param i32 i32)))
        (memory (export "memory") 1)
        ${ALLOC}
        (func (export "twice") (param f64) (result f64) (call $twice (local.get 0)))
        (func (export "log__s") (param i32 i32) (call $log (local.get 0) (local.get 1)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "spin") (loop $again (br $again)))
        (func (export "trap") unreachable))`),
    );
    const url = pathToFileURL(path);
    const lines: string[] = [];
    const imports = { env: { twice: (x: number) => x * 2 } };
    const host = { log: (line: string) => void lines.push(line) };
    const options = { kind: 'worker', imports, host, memory: { pages: 4 } } as const;
    const t = await system.spawn(url, { ...options, onTimeout: 'kill', restart: 'on-failure' });
    assert.equal(t.kind, 'worker');
    assert.equal(t.sync.twice(21), 42);
    assert.equal(await t.async.twice(1), 2);
    t.sync.log('from another agent');
    assert.deepEqual(lines, ['from another agent']);
    assert.equal(t.sync.grow(4), -1);
    assert.equal(thrownBy(() => t.with({ timeout: 50 }).sync.spin()).code, 'ERR_IPC_TIMEOUT');
    assert.equal(t.sync.twice(2), 4);
    const error = thrownBy(() => t.sync.trap());
    assert.equal(error.code, 'ERR_IPC_PEER_GONE');
    const once = await system.spawn(url, options);
    assert.match((await rejectionOf(once.async.trap())).message, /unreachable/);
    assert.equal((await once.exited).reason, 'unreachable');
    await rejectionOf(system.spawn(url, { ...options, imports: { env: t } }));
    assert.match((await rejectionOf(system.spawn(url, { kind: 'worker' }))).message, /env\.twice.*host\.log/);
    assert.throws(() => system.spawnSync(module, { wasi: 'stdio' }), /'wasi' is an option of wasm modules/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
