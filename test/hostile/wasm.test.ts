/**
 * Modules that mean harm, on every kind of thread that a wasm task can have. Beside those of
 * test/conformance/wasm-hostile.test.ts these are the attacks on time, on other threads and on the way of an answer.
 * Each is contained: a neighbour answers, kernel memory contradicts none of its invariants, and the system leaves
 * nothing behind.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { IpcError } from '../../src/index.ts';
import type { SpawnOptions, System, Task } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { ALLOC, CALLS } from '../conformance/fixtures/wat.ts';
import { rejectionOf, systemTest, thrownBy } from '../conformance/support.ts';
import { urlOf, wasm, wat } from '../support/wat.ts';

const kind = 'wasm';
const calls = wat(CALLS);

interface Attack {
  readonly title: string;
  readonly module: string;
  readonly options?: SpawnOptions;
  /** Functions granted, which may use the attacker. */
  readonly host?: (attacker: () => Task, neighbour: Task) => Record<string, (...args: any[]) => unknown>;
  run(attacker: Task, neighbour: Task): unknown;
  /** What the attacker's end says; null: it lives on. */
  readonly ends: RegExp | null;
}

const L3 = `(import "l3" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "l3" "status" (func $status (result i32)))
  (import "l3" "self" (func $self (result i32)))
  (import "l3" "sender" (func $sender (result i32)))
  (import "l3" "task" (func $task (param i32 i32) (result i32)))
  (import "l3" "method" (func $method (param i32 i32 i32) (result i32)))`;
const ADD = '(import "calls" "add" (func $add (param i32 i32) (result i32)))';
const ECHO = '(import "calls" "echo__s_s" (func $echo (param i32 i32) (result i32)))';
const NEVER = '(import "host" "never" (func $never))';
const never = (): Promise<void> => new Promise(() => {});
const jspi: SpawnOptions = { thread: 'jspi' };
const timed: SpawnOptions = { limits: { time: 60 } };
const tooLong = /longer than limits\.time/;
const gone = async (call: Promise<unknown>): Promise<void> =>
  assert.equal((await rejectionOf(call)).code, 'ERR_IPC_PEER_GONE');

const attacks: readonly Attack[] = [
  {
    title: 'thread ids of others for handles',
    module: `${L3} (func (export "run") (param i32) (result i32)
      (drop (call $call (local.get 0) (i32.const 0) (i32.const 1) (i32.const 2))) (call $status))
      (func (export "self") (result i32) (call $self)) (func (export "sender") (result i32) (call $sender))`,
    run: ({ sync, id }, neighbour) => {
      for (const forged of [neighbour.id, id, sync.sender(), -1, 2 ** 31 - 1]) assert.equal(sync.run(forged), 101);
      assert.equal(sync.self(), id);
    },
    ends: null,
  },
  ...[
    [2 ** 31 - 1, 2 ** 31 - 1],
    [-(2 ** 31), -(2 ** 31)],
    [-(2 ** 31), 0x7fffffff],
    [65_536, 1],
    [1, -2],
  ].map(([address, length]): Attack => ({
    title: `a string of ${length} bytes at ${address}`,
    module: `${ECHO} (memory (export "memory") 1 1) ${ALLOC}
        (func (export "run") (param i32 i32) (drop (call $echo (local.get 0) (local.get 1))))`,
    run: ({ sync }) => sync.run(address, length),
    ends: /not within its memory/,
  })),
  {
    title: 'an allocator that traps while an answer is received',
    module: `${ECHO} (memory (export "memory") 1)
      (func (export "l3_alloc") (param i32) (result i32) unreachable)
      (func (export "run") (drop (call $echo (i32.const 0) (i32.const 9))))`,
    run: ({ sync }) => sync.run(),
    ends: /unreachable/,
  },
  {
    title: 'an allocator that gives the same place to every string, and grows in between',
    module: `(memory (export "memory") 1)
      (func (export "l3_alloc") (param i32) (result i32) (drop (memory.grow (i32.const 1))) (i32.const 8))
      (func (export "both__ss_n") (param i32 i32 i32 i32) (result i32)
        (i32.add (i32.load8_u (local.get 0)) (i32.load8_u (local.get 2))))`,
    run: ({ sync }) => assert.equal(sync.both('a', 'bb'), 2 * 98),
    ends: null,
  },
  {
    title: 'a caller that is ended in the middle of its call',
    module: `(import "host" "kill" (func $kill)) (func (export "add") (param i32 i32) (result i32) (call $kill) (i32.const 7))`,
    host: (_attacker, neighbour) => ({ kill: () => void victims.get(neighbour)!.kill() }),
    run: (attacker, neighbour) => {
      const victim = victims.get(neighbour)!;
      assert.match(thrownBy(() => victim.sync.add(1, 2)).message, /killed/);
      assert.equal(attacker.alive, true);
    },
    ends: null,
  },
  {
    title: 'a loop that catches everything, on its caller’s stack',
    module: `(func $f (loop $again (br $again)))
      (func (export "run") (loop $again (try (do (call $f)) (catch_all)) (br $again)))`,
    options: timed,
    run: ({ sync }) => sync.run(),
    ends: tooLong,
  },
  {
    title: 'a loop that calls a neighbour without end',
    module: `${ADD} (func (export "run") (loop $again (drop (call $add (i32.const 1) (i32.const 2))) (br $again)))`,
    options: timed,
    run: ({ sync }) => sync.run(),
    ends: tooLong,
  },
  {
    title: 'a flood that takes no notice of its refusal',
    module: `${L3} (func (export "run") (loop $again
      (drop (call $call (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2))) (br $again)))`,
    options: { limits: { time: 60, messages: 50 } },
    run: ({ sync }) => sync.run(),
    ends: tooLong,
  },
  {
    title: 'a loop that fills memory again and again',
    module: `(memory (export "memory") 16) (func (export "run")
      (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576)) (br $again)))`,
    options: timed,
    run: ({ sync }) => sync.run(),
    ends: tooLong,
  },
  {
    title: 'a loop that fills memory, once all that it calls has been compiled well',
    module: `(memory (export "memory") 16)
      (func (export "warm") (param i32) (loop $again
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0))
        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "run") (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576)) (br $again)))`,
    options: { limits: { time: 300 } },
    run: async ({ sync }) => {
      for (let i = 0; i < 30; i++) sync.warm(200_000);
      await new Promise((resolve) => setTimeout(resolve, 50));
      sync.warm(200_000);
      sync.run();
    },
    ends: tooLong,
  },
  {
    title: 'a handler that never answers',
    module: `${NEVER} (func (export "run") (call $never)) (func (export "other") (result i32) (i32.const 5))`,
    options: { ...jspi, concurrency: 2 },
    host: () => ({ never }),
    run: async (attacker) => {
      const error = await rejectionOf(attacker.with({ timeout: 20 }).async.run());
      assert.equal(error.code, 'ERR_IPC_TIMEOUT');
      assert.equal(await attacker.async.other(), 5);
    },
    ends: null,
  },
  {
    title: 'all of its threads never answer, and more calls wait',
    module: `${NEVER} (func (export "run") (call $never))`,
    options: { ...jspi, concurrency: 100 },
    host: () => ({ never }),
    run: async (attacker) => {
      const waiting = Array.from({ length: 300 }, () => gone(attacker.async.run()));
      assert.equal(thrownBy(() => attacker.sync.run()).code, 'ERR_IPC_DEADLOCK');
      await new Promise((resolve) => setTimeout(resolve, 5));
      await attacker.kill();
      await Promise.all(waiting);
    },
    ends: /killed/,
  },
  {
    title: 'answers in another order than they were asked for',
    module: `(import "host" "wait" (func $wait (param i32))) (global $last (mut i32) (i32.const 0))
      (func (export "run") (param i32) (result i32)
        (global.set $last (local.get 0)) (call $wait (local.get 0)) (local.get 0))`,
    options: { ...jspi, concurrency: 8 },
    host: () => ({ wait: (n: number) => new Promise((resolve) => setTimeout(resolve, 20 - 2 * n)) }),
    run: async ({ async }) => {
      const asked = [1, 2, 3, 4, 5, 6, 7, 8];
      assert.deepEqual(await Promise.all(asked.map((n) => async.run(n))), asked);
    },
    ends: null,
  },
  {
    title: 'a trap in one thread while others of it wait',
    module: `${NEVER} (func (export "wait") (call $never)) (func (export "run") unreachable)`,
    options: { ...jspi, concurrency: 8 },
    host: () => ({ never }),
    run: async (attacker) => {
      const waiting = [1, 2, 3].map(() => gone(attacker.async.wait()));
      await Promise.all([...waiting, gone(attacker.async.run())]);
      await attacker.exited;
    },
    ends: /unreachable/,
  },
  {
    title: 'recursion without end on a stack of its own',
    module: `(func $run (export "run") (result i32) (i32.add (call $run) (i32.const 1)))`,
    options: jspi,
    run: async (attacker) => {
      await gone(attacker.async.run());
      await attacker.exited;
    },
    ends: /stack overflow/,
  },
  {
    title: 'calls with the last of a stack of its own',
    module: `(import "host" "step" (func $step)) (func $run (export "run") (result i32)
      (call $step) (i32.add (call $run) (i32.const 1)))`,
    options: jspi,
    host: () => ({ step: () => void JSON.parse('[1, [2, [3]]]') }),
    run: async (attacker) => {
      await gone(attacker.async.run());
      await attacker.exited;
    },
    ends: /stack overflow/,
  },
  {
    title: 'suspension without end, which would keep timers waiting',
    module: `(import "host" "at" (func $once)) (func (export "run") (loop $again (call $once) (br $again)))`,
    options: jspi,
    host: () => ({ at: async () => {} }),
    run: async (attacker) => {
      const running = gone(attacker.async.run());
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
      await attacker.kill();
      await running;
    },
    ends: /killed/,
  },
  {
    title: 'promises that call it back before they settle',
    module: `(import "host" "again" (func $again (result i32))) (func (export "run") (result i32) (call $again))
      (func (export "inner") (result i32) (i32.const 3))`,
    options: { ...jspi, concurrency: 1 },
    host: (attacker) => ({ again: () => attacker().with({ timeout: 20 }).async.inner() }),
    run: async (attacker) => {
      // Its one thread waits for itself: the inner call ends by its timeout, and the outer with it.
      await gone(attacker.async.run());
      await attacker.exited;
    },
    ends: /did not take the call within 20 ms/,
  },
  {
    title: 'a stack pointer that points nowhere',
    module: `(import "host" "wait" (func $wait)) (memory (export "memory") 1)
      (global $sp (export "__stack_pointer") (mut i32) (i32.const -16))
      (func (export "l3_alloc") (param i32) (result i32) (i32.const -1))
      (func (export "run") (call $wait) (i32.store (global.get $sp) (i32.const 1)))`,
    options: { ...jspi, concurrency: 2 },
    host: () => ({ wait: async () => {} }),
    run: async (attacker) => {
      await Promise.all([gone(attacker.async.run()), gone(attacker.async.run())]);
      await attacker.exited;
    },
    ends: /not within its memory|out of bounds/,
  },
  {
    title: 'exports that are no functions, or carry names of JavaScript’s own',
    module: `(memory (export "memory") 1) (table (export "toString") 1 funcref) (global (export "valueOf") i32 (i32.const 1))
      (tag (export "tag")) (func (export "then")) (func (export "constructor")) (func (export "__proto__"))
      (func (export "run") (result i32) (i32.const 1)) (func (export "run__n") (param i32)) (func (export "") (result i32) (i32.const 2))`,
    run: async (attacker) => {
      assert.equal(await Promise.resolve(attacker.sync), attacker.sync);
      assert.deepEqual([attacker.sync.run(), attacker.sync['']()], [1, 2]);
      for (const name of ['then', 'constructor', '__proto__']) assert.equal(attacker.sync[name], undefined);
      for (const name of ['memory', 'valueOf', 'tag']) assert.throws(() => attacker.sync[name], /no function/);
    },
    ends: null,
  },
  {
    title: 'an import that is exported again',
    module: `(import "host" "wait" (func $wait (param i32) (result i32))) (export "run" (func $wait))`,
    options: jspi,
    host: () => ({ wait: async (n: number) => n + 1 }),
    run: async ({ async }) => assert.equal(await async.run(1), 2),
    ends: null,
  },
  {
    title: 'calls through a table of nothing, and of another type',
    module: `(type $t (func (param i32))) (table 2 funcref) (elem (i32.const 1) $g) (func $g)
      (func (export "run") (param i32) (call_indirect (type $t) (i32.const 1) (local.get 0)))`,
    run: ({ sync }) => sync.run(1),
    ends: /signature mismatch|indirect/,
  },
  {
    title: 'tables and memories that grow without end',
    module: `(memory (export "memory") 1) (table 1 funcref)
      (func (export "run") (result i32)
        (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (loop $again (br_if $again (i32.ne (table.grow (ref.null func) (i32.const 100)) (i32.const -1))))
        (i32.add (memory.grow (i32.const -1)) (table.grow (ref.null func) (i32.const -1))))`,
    options: { limits: { table: 1000 } },
    run: ({ sync }) => assert.equal(sync.run(), -2),
    ends: null,
  },
];

/** Callers of the attacker, by the neighbour of the same test. */
const victims = new WeakMap<Task, Task>();

async function spawnAll(system: System, { module, options = {}, host }: Attack): Promise<[Task, Task]> {
  const neighbour = await system.spawn(calls, { kind, name: 'neighbour', restart: 'on-failure' });
  let attacker: Task | null = null;
  const granted = host?.(() => attacker!, neighbour) ?? {};
  const common = { kind, name: 'attacker', memory: { pages: 16 }, imports: { calls: neighbour } } as const;
  attacker = await system.spawn(wat(`(module ${module})`), { ...common, host: granted, ...options });
  if (module.includes('"kill"')) {
    const url = wat(`(module (import "to" "add" (func $f (param i32 i32) (result i32)))
      (func (export "add") (param i32 i32) (result i32) (call $f (local.get 0) (local.get 1))))`);
    victims.set(neighbour, await system.spawn(url, { kind, imports: { to: attacker } }));
  }
  return [attacker, neighbour];
}

for (const attack of attacks) {
  systemTest(`hostile: ${attack.title}`, async (system) => {
    const [attacker, neighbour] = await spawnAll(system, attack);
    const { run, ends } = attack;
    let thrown: unknown = null;
    try {
      await run(attacker, neighbour);
    } catch (error) {
      if (ends === null || !(error instanceof IpcError)) throw error;
      thrown = error;
    }
    assert.equal(attacker.alive, ends === null, String(thrown));
    if (ends !== null) assert.match((await attacker.exited).reason, ends);
    assert.equal(neighbour.sync.add(20, 22), 42);
    assert.equal(neighbour.sync.echo('still here'), 'still here');
    assert.equal(await neighbour.async.add(1, 2), 3);
    assert.deepEqual(verify(), []);
  });
}

const refused: readonly [title: string, module: string, text: RegExp][] = [
  ['to answer, or to answer twice', '(import "l3" "reply" (func (param i32 i32)))', /l3\.reply/],
  ['to receive what is meant for others', '(import "l3" "receive" (func (result i32)))', /l3\.receive/],
  ['to send in the name of another', '(import "l3" "send" (func (param i32 i32)))', /l3\.send/],
  ['to call with a 64-bit number', '(import "l3" "call" (func (param i32 i32 i64)))', /l3\.call/],
  ['one name with two types', '(import "env" "f" (func)) (import "env" "f" (func (param i32)))', /two types/],
  ['globals of the host', '(import "env" "f" (global (mut i32)))', /env\.f/],
  ['to throw the host’s exceptions', '(import "env" "f" (tag (param i32)))', /env\.f/],
  ['files that were not granted', '(import "wasi_snapshot_preview1" "fd_read" (func))', /fd_read/],
];

for (const [title, module, text] of refused) {
  systemTest(`hostile: it is refused ${title}, on every thread`, async (system) => {
    for (const thread of ['passive', 'jspi'] as const) {
      const options = { kind, thread, imports: { env: { f: () => {} } } } as const;
      const error = await rejectionOf(system.spawn(wat(`(module ${module})`), options));
      assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
      assert.match(error.message, text);
    }
    assert.deepEqual(verify(), []);
  });
}

systemTest('hostile: start functions that trap, recurse, loop, or call what they may not yet', async (system) => {
  const starts: readonly [body: string, text: RegExp][] = [
    ['unreachable', /unreachable/],
    ['(call $start)', /call stack/],
    ['(loop $again (br $again))', tooLong],
    ['(call $self)', /wait for itself|has no function|not granted/],
  ];
  for (const [body, text] of starts) {
    let made: Task | null = null;
    const imports = { host: { self: () => void made?.sync.run() } };
    const url = wat(`(module (import "host" "self" (func $self)) (func (export "run"))
      (func $start ${body}) (start $start))`);
    try {
      made = await system.spawn(url, { kind, imports, limits: { time: 60 } });
      assert.equal(body, '(call $self)');
    } catch (error) {
      assert.match((error as Error).message, text);
    }
  }
  assert.deepEqual(verify(), []);
});

systemTest('hostile: two tasks that call each other on stacks of their own end by the timeout', async (system) => {
  let a: Task | null = null;
  const url = wat(`(module (import "host" "next" (func $next (param i32) (result i32)))
    (func (export "run") (param i32) (result i32) (i32.add (call $next (local.get 0)) (i32.const 1))))`);
  const b = await system.spawn(url, { kind, ...jspi, concurrency: 4, host: { next: (n: number) => a!.async.run(n) } });
  a = await system.spawn(url, { kind, ...jspi, concurrency: 4, host: { next: (n: number) => b.async.run(n) } });
  assert.equal((await rejectionOf(a.with({ timeout: 50 }).async.run(1))).code, 'ERR_IPC_TIMEOUT');
  const neighbour = await system.spawn(calls, { kind });
  assert.equal(neighbour.sync.add(1, 2), 3);
  await Promise.all([a.kill(), b.kill()]);
  assert.deepEqual(verify(), []);
});

systemTest('hostile: a loop in a worker is ended by its limit, and its neighbours never notice', async (system) => {
  const folder = mkdtempSync(join(tmpdir(), 'l3-hostile-'));
  try {
    const path = join(folder, 'loops.wasm');
    writeFileSync(
      path,
      wasm(
        `(module (memory 16) (func (export "one") (result i32) (i32.const 1))
          (func (export "spin") (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576)) (br $again))))`,
      ),
    );
    const options = { thread: 'worker', timeout: 100, onTimeout: 'kill', restart: 'on-failure' } as const;
    const t = await system.spawn(pathToFileURL(path), { ...options, kind: 'worker' });
    const neighbour = await system.spawn(calls, { kind });
    const spinning = rejectionOf(t.async.spin());
    assert.equal(neighbour.sync.add(1, 2), 3);
    assert.equal((await spinning).code, 'ERR_IPC_TIMEOUT');
    assert.equal(await t.with({ timeout: 10_000 }).async.one(), 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

systemTest('hostile: bytes that are no module, and names without measure', async (system) => {
  const good = wasm(CALLS);
  for (const cut of [0, 4, 7, 20, good.length - 1]) {
    const error = await rejectionOf(system.spawn(urlOf(good.subarray(0, cut)), { kind, thread: 'jspi' }));
    assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
  }
  const long = 'n'.repeat(100_000);
  const t = await system.spawn(wat(`(module (func (export "${long}") (result i32) (i32.const 1)))`), { kind });
  assert.equal(t.sync[long](), 1);
  assert.deepEqual(verify(), []);
});
