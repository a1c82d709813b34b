/**
 * Modules that mean harm. Each attack may end its own task and nothing else: a neighbour still answers, and kernel
 * memory contradicts none of its invariants.
 */
import assert from 'node:assert/strict';
import { IpcError } from '../../src/index.ts';
import type { System, Task } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { urlOf, wat } from '../support/wat.ts';
import { ALLOC, CALLS } from './fixtures/wat.ts';
import { fixture, rejectionOf, systemTest, thrownBy } from './support.ts';

const kind = 'wasm';
const calls = wat(CALLS);

/** What the module of an attack does; the rest of it. */
interface Attack {
  readonly title: string;
  readonly module: string;
  /** Makes the attack. What it throws must be the system's, or a type error of ours. */
  run(attacker: Task, system: System, neighbour: Task): unknown;
  /** What the attacker's end says; null: it lives on. */
  readonly ends: RegExp | null;
  readonly imports?: (neighbour: Task) => Record<string, any>;
}

const withNeighbour = (neighbour: Task): Record<string, any> => ({ calls: neighbour });
const echo = '(import "calls" "echo__s_s" (func $echo (param i32 i32) (result i32)))';
const add = '(import "calls" "add" (func $add (param i32 i32) (result i32)))';
const l3call = `(import "l3" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "l3" "status" (func $status (result i32)))
  (import "l3" "task" (func $task (param i32 i32) (result i32)))
  (import "l3" "method" (func $method (param i32 i32 i32) (result i32)))`;

/** Calls of `count`, and what `detach` takes away. */
let counted = 0;
let lent = new Uint8Array();

const attacks: readonly Attack[] = [
  ...[
    ['an address beyond memory', -1, 1],
    ['a length beyond memory', 0, -1],
    ['an address and a length that overflow together', -8, 16],
    ['the last byte and one more', 65_535, 2],
  ].map(([title, address, length]): Attack => ({
    title: `${title} as a string`,
    module: `${echo} (memory (export "memory") 1 1) ${ALLOC} (func (export "run") (param i32 i32)
      (drop (call $echo (local.get 0) (local.get 1))))`,
    run: (attacker) => attacker.sync.run(address, length),
    ends: /not within its memory/,
    imports: withNeighbour,
  })),
  {
    title: 'strings without a memory',
    module: `${echo} (func (export "run") (drop (call $echo (i32.const 0) (i32.const 0))))`,
    run: (attacker) => attacker.sync.run(),
    ends: /exports no memory/,
    imports: withNeighbour,
  },
  {
    title: 'a result that it has no room for',
    module: `${echo} (memory (export "memory") 1) (func (export "run") (drop (call $echo (i32.const 0) (i32.const 9))))`,
    run: (attacker) => attacker.sync.run(),
    ends: /no 'l3_alloc/,
    imports: withNeighbour,
  },
  {
    title: 'an allocator that gives what it does not have',
    module: `(memory (export "memory") 1) (func (export "l3_alloc") (param i32) (result i32) (i32.const -1))
      (func (export "take__s") (param i32 i32))`,
    run: (attacker) => attacker.sync.take('text'),
    ends: /not within its memory/,
  },
  {
    title: 'an allocator that traps',
    module: `(memory (export "memory") 1) (func (export "l3_alloc") (param i32) (result i32) unreachable)
      (func (export "take__s") (param i32 i32))`,
    run: (attacker) => attacker.sync.take('text'),
    ends: /unreachable/,
  },
  {
    title: 'an allocator that calls the task whose result it is to receive, and grows its memory',
    module: `${echo} ${add} (memory (export "memory") 1)
      (func (export "l3_alloc") (param i32) (result i32)
        (drop (call $add (i32.const 1) (i32.const 2))) (drop (memory.grow (i32.const 1))) (i32.const 64))
      (func (export "run") (result i32) (call $echo (i32.const 0) (i32.const 30000)))`,
    run: (attacker) => assert.equal(attacker.sync.run(), 64),
    ends: null,
    imports: withNeighbour,
  },
  {
    title: 'a result that overlaps its own pair',
    module: `(memory (export "memory") 1) ${ALLOC}
      (func (export "run___s") (result i32) (call $pair (i32.const 16) (i32.const 8)))`,
    run: (attacker) => assert.equal(attacker.sync.run().length, 8),
    ends: null,
  },
  {
    title: 'a result of four gigabytes',
    module: `(memory (export "memory") 1) ${ALLOC}
      (func (export "run__n_s") (param i32) (result i32) (call $pair (i32.const 0) (i32.const -1)))`,
    run: (attacker) => attacker.sync.run(0),
    ends: /4294967295 bytes at address 0/,
  },
  {
    title: 'memory beyond its limit',
    module: `(memory (export "memory") 1) (func (export "run") (result i32) (memory.grow (i32.const 4096)))`,
    run: (attacker) => assert.equal(attacker.sync.run(), -1),
    ends: null,
  },
  {
    title: 'a table beyond its limit',
    module: `(table 1 funcref) (func (export "run") (result i32)
      (table.grow (ref.null func) (i32.const 1000000)))`,
    run: (attacker) => assert.equal(attacker.sync.run(), -1),
    ends: null,
  },
  {
    title: 'recursion without end',
    module: `(func $run (export "run") (result i32) (i32.add (call $run) (i32.const 1)))`,
    run: (attacker) => attacker.sync.run(),
    ends: /stack overflow/,
  },
  {
    title: 'calls of another task with the last of the stack',
    // Each turn goes deeper, and calls at every depth.
    module: `${l3call} (memory (export "memory") 1) (data (i32.const 0) "callsadd")
      (func $down (export "run") (result i32)
        (drop (call $call (i32.const 0) (call $method (i32.const 0) (i32.const 5) (i32.const 3)) (i32.const 1) (i32.const 2)))
        (i32.add (call $down) (i32.const 1)))`,
    run: (attacker) => attacker.sync.run(),
    ends: /stack overflow|has ended/,
    imports: withNeighbour,
  },
  {
    title: 'handles, numbers and names that mean nothing',
    module: `${l3call} (memory (export "memory") 1)
      (func (export "call") (param i32 i32 i32 i32) (result i32)
        (drop (call $call (local.get 0) (local.get 1) (local.get 2) (local.get 3))) (call $status))
      (func (export "method") (param i32 i32 i32) (result i32) (call $method (local.get 0) (local.get 1) (local.get 2)))`,
    run: ({ sync }) => {
      for (const handle of [-1, 1, 2 ** 31 - 1, -(2 ** 31)]) {
        for (const method of [-1, 0, 7, 2 ** 31 - 1]) assert.equal(sync.call(handle, method, 1, 2), 101);
        assert.equal(sync.method(handle, 0, 5), -1);
      }
    },
    ends: null,
    imports: withNeighbour,
  },
  {
    title: 'a name beyond memory',
    module: `${l3call} (memory (export "memory") 1)
      (func (export "run") (result i32) (call $method (i32.const 0) (i32.const -2) (i32.const 5)))`,
    run: (attacker) => attacker.sync.run(),
    ends: /not within its memory/,
    imports: withNeighbour,
  },
  {
    title: 're-entry through a function of the host',
    module: `(import "host" "again" (func $again)) (func (export "run") (call $again)) (func (export "inner"))`,
    run: (attacker) => attacker.sync.run(),
    ends: /could only wait for itself/,
    imports: () => ({}),
  },
  {
    title: 'an exception of its own',
    module: `(tag $t) (func (export "run") (throw $t))`,
    run: (attacker) => attacker.sync.run(),
    ends: /./,
  },
  {
    title: 'exceptions of others caught and ignored',
    module: `(import "host" "again" (func $again)) (import "calls" "trap" (func $trap))
      (func (export "run") (result i32)
        (block (try (do (call $again)) (catch_all)))
        (block (try (do (call $trap)) (catch_all)))
        (i32.const 7))
      (func (export "inner"))`,
    run: (attacker) => assert.equal(attacker.sync.run(), 7),
    ends: null,
    imports: withNeighbour,
  },
  {
    title: 'print addresses of others',
    module: `(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "\\00\\ff\\00\\00\\ff\\ff\\ff\\ff")
      (func (export "run") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))`,
    run: (attacker) => attacker.sync.run(),
    ends: /not within its memory/,
  },
  {
    title: 'a read of a million vectors, and random bytes without end',
    module: `(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "write") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 1000000) (i32.const 16)))
      (func (export "random") (result i32) (call $random (i32.const 0) (i32.const -1)))
      (func (export "stdin") (result i32) (call $write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))`,
    run: ({ sync }) => assert.deepEqual([sync.write(), sync.random(), sync.stdin()], [28, 28, 8]),
    ends: null,
  },
  {
    title: 'exit of the process',
    module: `(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (func (export "run") (call $exit (i32.const 3)))`,
    run: (attacker) => attacker.sync.run(),
    ends: /exit code 3/,
  },
  {
    title: 'its end by its chief, from within its allocator',
    module: `(import "host" "die" (func $die)) (memory (export "memory") 1)
      (func (export "l3_alloc") (param i32) (result i32) (call $die) (i32.const 64))
      (func (export "take__ss_n") (param i32 i32 i32 i32) (result i32) (i32.const 7))`,
    run: (attacker) => attacker.sync.take('one', 'two'),
    ends: /killed/,
  },
  {
    title: 'going on behind its end, catching what says so',
    module: `(import "host" "die" (func $die)) (import "host" "count" (func $count))
      (func (export "run") (block (try (do (call $die)) (catch_all)))
        (block (try (do (call $count)) (catch_all))) (block (try (do (call $count)) (catch_all))))`,
    run(attacker) {
      counted = 0;
      try {
        attacker.sync.run();
      } finally {
        assert.equal(counted, 0);
      }
    },
    ends: /killed/,
  },
  {
    title: 'bytes of its caller that go while it makes room for them',
    module: `(import "host" "detach" (func $detach)) (memory (export "memory") 1)
      (func (export "l3_alloc") (param i32) (result i32) (call $detach) (i32.const 64))
      (func (export "take__b_n") (param i32 i32) (result i32) (local.get 1))`,
    run(attacker) {
      lent = new Uint8Array(1000);
      attacker.sync.take(lent);
    },
    ends: /detached/,
  },
  {
    title: 'frames so large that few fit, between calls of the host',
    module: `(import "host" "count" (func $count))
      (func $run (export "run") (local ${'i64 '.repeat(5000)}) (call $count) (call $run))`,
    run: (attacker) => attacker.sync.run(),
    ends: /stack overflow/,
  },
  ...[65_532, 65_536, -1, -4, -8].map((pair): Attack => ({
    title: `a result whose pair is at ${pair}`,
    module: `(memory (export "memory") 1) (func (export "run__n_s") (param i32) (result i32) (local.get 0))`,
    run: (attacker) => attacker.sync.run(pair),
    ends: /not within its memory/,
  })),
  {
    title: 'a memory that is none, and an allocator of another type',
    module: `(table (export "memory") 1 funcref) (func (export "l3_alloc") (param f64) (result f64) (local.get 0))
      (func (export "take__s") (param i32 i32))`,
    run: (attacker) => attacker.sync.take('text'),
    ends: /exports no/,
  },
  {
    title: 'names that mean something to objects',
    module: ['__proto__', 'then', 'constructor', '', 'toString', 'a\\00b', '__s', 'valueOf__n_s']
      .map((name) => `(func (export "${name}"))`)
      .join(' '),
    run({ sync }) {
      for (const name of ['then', 'constructor']) assert.equal(sync[name], undefined);
      for (const name of Object.keys(sync)) assert.equal(sync[name](), undefined);
    },
    ends: null,
  },
  {
    title: 'numbers that are not what they seem',
    module: `(func (export "nan") (result f64) (f64.reinterpret_i64 (i64.const 0xfff8dead00001234)))
      (func (export "run") (param i32) (result i32) (local.get 0))`,
    run({ sync }) {
      assert.ok(Number.isNaN(sync.nan()));
      const hostile = { valueOf: () => assert.fail('it was asked'), [Symbol.toPrimitive]: () => assert.fail('asked') };
      for (const value of [hostile, '1', null, 1n, [], Symbol('s')]) assert.throws(() => sync.run(value), TypeError);
    },
    ends: null,
  },
  {
    title: 'a start within a start',
    module: `(import "host" "spawn" (func $spawn)) (func $start (call $spawn)) (start $start) (func (export "run"))`,
    run: (attacker) => attacker.sync.run(),
    ends: null,
  },
];

for (const { title, module, run, ends, imports = () => ({}) } of attacks) {
  systemTest(`wasm, hostile: ${title}`, async (system) => {
    const neighbour = await system.spawn(calls, { kind, name: 'neighbour', restart: 'on-failure' });
    const host = {
      again: () => attacker.sync.inner(),
      die: () => void attacker.kill(),
      count: () => void counted++,
      detach: () => void (lent.buffer as ArrayBuffer).transfer(0),
      spawn: () => system.spawnSync(wat('(module (func (export "f")))'), { kind }).sync.f(),
    };
    const options = { kind, name: 'attacker', wasi: 'stdio', memory: { pages: 16 }, host } as const;
    const attacker: Task = await system.spawn(wat(`(module ${module})`), { ...options, imports: imports(neighbour) });
    if (ends === null) run(attacker, system, neighbour);
    else {
      const error = thrownBy(() => run(attacker, system, neighbour));
      assert.ok(error instanceof IpcError, String(error));
      assert.match(error.message, ends);
    }
    assert.equal(attacker.alive, ends === null);
    assert.equal(neighbour.sync.add(20, 22), 42);
    assert.equal(neighbour.sync.echo('still here'), 'still here');
    assert.deepEqual(verify(), []);
  });
}

const refused: readonly [title: string, module: string, text: RegExp][] = [
  ['a shared memory', '(memory 1 1 shared)', /a shared memory/],
  ['tables by the hundred', '(table 65536 funcref)'.repeat(100), /100 tables, and may have 16/],
  ['a memory of 64-bit addresses', '(memory i64 1)', /64-bit/],
  ['a memory larger than allowed', '(memory 17)', /begins with 17 pages, and may have 16/],
  ['an imported memory larger than allowed', '(memory (import "env" "memory") 17)', /17 pages in env\.memory/],
  ['a table larger than allowed', '(table 100000 funcref)', /begins with 100000 table elements/],
  ['a table of host objects', '(table 1 externref)', /table of anything but functions/],
  ['a start function that traps', '(func $start unreachable) (start $start)', /unreachable/],
  ['a start function that needs what is not granted', '(import "env" "f" (func $f)) (start $f)', /env\.f/],
  [
    'prototypes of the host',
    '(import "__proto__" "toString" (func)) (import "env" "valueOf" (func))',
    /toString.*valueOf/s,
  ],
  ['the kernel under another type', '(import "l3" "call" (func (param externref i32)))', /l3\.call/],
  ['WASI that was not granted', '(import "wasi_snapshot_preview1" "path_open" (func))', /path_open/],
];

for (const [title, module, text] of refused) {
  systemTest(`wasm, hostile: ${title} is refused at spawn`, async (system) => {
    const options = { kind, memory: { pages: 16 }, imports: { env: {} } } as const;
    const url = wat(`(module ${module})`);
    const error = await rejectionOf(system.spawn(url, options));
    assert.ok(error instanceof IpcError, String(error));
    assert.match(error.message, text);
    assert.throws(() => system.spawnSync(url, options), IpcError);
  });
}

systemTest('wasm, hostile: a struct type is refused, for its objects would fill the heap of all', async (system) => {
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x5f, 1, 0x7f, 0);
  const url = new URL(`data:application/wasm;base64,${Buffer.from(bytes).toString('base64')}`);
  assert.match((await rejectionOf(system.spawn(url, { kind }))).message, /struct or array/);
});

systemTest('wasm, hostile: several memories, each within the bound, are refused', async (system) => {
  // Text has one memory only: the section is written by hand.
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const imported = [2, 9, 1, 1, 0x65, 1, 0x6d, 2, 1, 1, 1];
  const two = [5, 7, 2, 1, 1, 16, 1, 1, 16];
  const one = [5, 4, 1, 1, 1, 16];
  const spawn = (...sections: number[][]): Promise<Task> =>
    system.spawn(urlOf(Uint8Array.from([header, ...sections].flat())), { kind, memory: { pages: 16 } });
  assert.match((await rejectionOf(spawn(two))).message, /2 memories, and may have 1/);
  assert.match((await rejectionOf(spawn(imported, one))).message, /2 memories, and may have 1/);
  assert.ok((await spawn(one)).alive);
  assert.ok((await spawn(imported)).alive);
});

const nested = (depth: number): number => (depth === 0 ? 0 : 1 + nested(depth - 1));

systemTest(
  'wasm, hostile: what it calls with the last of the stack is never interrupted in its middle',
  async (system) => {
    const worker = await system.spawn(fixture('calls.ts'));
    const url = wat(`(module
    (import "host" "step__s" (func $step (param i32 i32)))
    (import "calls" "add" (func $add (param f64 f64) (result f64)))
    (memory (export "memory") 1)
    (func $down (export "down") (result i32)
      (call $step (i32.const 0) (i32.const 50))
      (i32.add (call $down) (i32.const 1)))
    (func $deep (export "deep") (param i32) (result f64)
      (if (result f64) (local.get 0)
        (then (f64.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (f64.const 0)))
        (else (call $add (f64.const 1) (f64.const 2))))))`);
    let begun = 0;
    let ended = 0;
    const host = {
      step(_text: string): void {
        begun++;
        assert.equal(nested(100), 100);
        ended++;
      },
    };
    const fresh = (): Task => system.spawnSync(url, { kind, host, imports: { calls: worker } });
    const t = fresh();
    assert.match(thrownBy(() => t.sync.down()).message, /stack overflow/);
    assert.ok(begun > 100, String(begun));
    assert.equal(ended, begun);
    // Calls of another agent from where the stack has less and less room, to where it has none.
    let works = 1000;
    let fails = 1_000_000;
    while (fails - works > 30) {
      const depth = Math.floor((works + fails) / 2);
      try {
        assert.equal(fresh().sync.deep(depth), 3);
        works = depth;
      } catch (error) {
        assert.match((error as Error).message, /stack overflow/);
        fails = depth;
      }
      assert.equal(worker.sync.add(20, 22), 42);
    }
    assert.deepEqual(verify(), []);
    assert.equal(await worker.async.add(1, 2), 3);
  },
);

systemTest('wasm, hostile: more exports and imports than a task may have are refused', async (system) => {
  const many = Array.from({ length: 5000 }, (_, i) => `(export "f${i}" (func $f))`).join('');
  const exported = await rejectionOf(system.spawn(wat(`(module (func $f) ${many})`), { kind }));
  assert.match(exported.message, /5000 exports, and may have 4096/);
  const wanted = Array.from({ length: 5000 }, (_, i) => `(import "env" "f${i}" (func))`).join('');
  assert.match((await rejectionOf(system.spawn(wat(`(module ${wanted})`), { kind }))).message, /5000 imports/);
});

systemTest('wasm, hostile: a chain of tasks ends at the limit, and every link answers afterwards', async (system) => {
  const pass = wat(`(module (import "next" "add" (func $next (param i32 i32) (result i32)))
    (func (export "add") (param i32 i32) (result i32) (call $next (local.get 0) (local.get 1))))`);
  const chain: Task[] = [await system.spawn(calls, { kind })];
  for (let i = 0; i < 70; i++) chain.push(await system.spawn(pass, { kind, imports: { next: chain.at(-1)! } }));
  assert.equal(chain[60]!.sync.add(1, 2), 3);
  const error = thrownBy(() => chain[70]!.sync.add(1, 2));
  assert.equal(error.code, 'ERR_IPC_PEER_GONE');
  assert.deepEqual(verify(), []);
  assert.equal(chain[0]!.sync.add(1, 2), 3);
});

systemTest('wasm, hostile: a dead task that goes on in its frames reaches nobody', async (system) => {
  const neighbour = await system.spawn(calls, { kind });
  let reached = 0;
  const host = { end: () => void attacker.kill(), after: () => reached++ };
  // It catches what should have taken it off the stack, and calls on.
  const attacker: Task = await system.spawn(
    wat(`(module (import "host" "end" (func $end)) (import "host" "after" (func $after))
      (import "calls" "count" (func $count (result i32)))
      (func (export "run")
        (block (try (do (call $end)) (catch_all)))
        (block (try (do (call $after)) (catch_all)))
        (block (try (do (drop (call $count))) (catch_all)))))`),
    { kind, host, imports: { calls: neighbour } },
  );
  assert.equal(thrownBy(() => attacker.sync.run()).code, 'ERR_IPC_PEER_GONE');
  assert.equal(reached, 0);
  assert.equal(neighbour.sync.count(), 1);
});
