/**
 * Random arguments to everything that a wasm task can call, and random bytes to what reads modules. Whatever comes, an
 * operation answers, or the task that asked has ended; nobody else has, and kernel memory stays sound. FUZZ_MS sets the
 * time, SEED replays a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boot, IpcError } from '../../src/index.ts';
import type { Task } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { heedful } from '../../src/tasks/wasm/interrupts.ts';
import { excessOf, limited, shapeOf } from '../../src/tasks/wasm/shape.ts';
import { ALLOC, CALLS } from '../conformance/fixtures/wat.ts';
import { wasm, wat } from '../support/wat.ts';

const limits = {
  interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 5000),
  markInterruptAsFailure: false,
  seed: Number(process.env.SEED ?? Date.now() % 2 ** 31),
};

/** Every system call as an export that passes its arguments on, and the memory's contents as one may wish. */
const ATTACKER = `(module
  (import "l3" "self" (func $self (result i32)))
  (import "l3" "sender" (func $sender (result i32)))
  (import "l3" "status" (func $status (result i32)))
  (import "l3" "task" (func $task (param i32 i32) (result i32)))
  (import "l3" "method" (func $method (param i32 i32 i32) (result i32)))
  (import "l3" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "l3" "call" (func $call6 (param i32 i32 i32 i32 i32 f64 f64 f64) (result f64)))
  (import "calls" "echo__s_s" (func $echo (param i32 i32) (result i32)))
  (import "calls" "copy__b_b" (func $copy (param i32 i32) (result i32)))
  (import "calls" "join__ss_s" (func $join (param i32 i32 i32 i32) (result i32)))
  (import "calls" "wild__n_s" (func $wild (param i32) (result i32)))
  (import "calls" "divide" (func $divide (param i32 i32) (result i32)))
  (import "host" "say__s_s" (func $say (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "callsaddechotrap")
  ${ALLOC}
  (func (export "poke") (param i32 i32) (i32.store (i32.and (local.get 0) (i32.const 0xfffc)) (local.get 1)))
  (func (export "grow") (param i32 i32) (drop (memory.grow (i32.and (local.get 0) (i32.const 3)))))
  (func (export "self") (param i32 i32) (drop (call $self)) (drop (call $sender)) (drop (call $status)))
  (func (export "task") (param i32 i32) (drop (call $task (local.get 0) (local.get 1))))
  (func (export "method") (param i32 i32) (drop (call $method (i32.const 0) (local.get 0) (local.get 1))))
  (func (export "call") (param i32 i32)
    (drop (call $call (i32.and (local.get 0) (i32.const 3)) (local.get 1) (local.get 0) (local.get 1))))
  (func (export "call6") (param i32 i32) (drop (call $call6
    (local.get 0) (local.get 1) (local.get 0) (local.get 1) (i32.const 9) (f64.const nan) (f64.const inf) (f64.const 1))))
  (func (export "echo") (param i32 i32) (drop (call $echo (local.get 0) (local.get 1))))
  (func (export "copy") (param i32 i32) (drop (call $copy (local.get 0) (local.get 1))))
  (func (export "join") (param i32 i32)
    (drop (call $join (local.get 0) (local.get 1) (local.get 1) (i32.and (local.get 0) (i32.const 255)))))
  (func (export "wild") (param i32 i32) (drop (call $wild (local.get 0))))
  (func (export "divide") (param i32 i32) (drop (call $divide (local.get 0) (local.get 1))))
  (func (export "say") (param i32 i32) (drop (call $say (local.get 0) (local.get 1))))
  (func (export "write") (param i32 i32)
    (drop (call $write (i32.const 5) (local.get 0) (local.get 1) (local.get 0))))
  (func (export "stat") (param i32 i32) (drop (call $stat (local.get 0) (local.get 1))))
  (func (export "random") (param i32 i32) (drop (call $random (local.get 0) (local.get 1))))
  (func (export "clock") (param i32 i32) (drop (call $clock (local.get 0) (i64.const 0) (local.get 1))))
  (func (export "args") (param i32 i32) (drop (call $args (local.get 0) (local.get 1)))))`;

const NAMES = [...ATTACKER.matchAll(/\(export "(\w+)"\) \(param i32 i32\)/g)].map(([, name]) => name!);
const KNOWN = new Set(['ERR_IPC_PEER_GONE', 'ERR_IPC_DEADLOCK', 'ERR_IPC_LIMIT']);

const word = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 65_500, max: 65_540 }),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(0, -1, -4, -8, 2 ** 31 - 1, -(2 ** 31), 65_536, 131_072),
);
const step = fc.tuple(fc.constantFrom(...NAMES), word, word);

void test('random arguments to every import end in an answer or in the end of who asked', async () => {
  assert.ok(NAMES.length >= 17, String(NAMES));
  const system = await boot({ limits: { tasks: 64 } });
  const attackers = wat(ATTACKER);
  const options = { kind: 'wasm', wasi: 'stdio', memory: { pages: 8 } } as const;
  const bystander = await system.spawn(wat(CALLS), { kind: 'wasm', name: 'bystander' });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      const neighbour = await system.spawn(wat(CALLS), options);
      const host = { say: (text: string) => text.toUpperCase() };
      const attacker = await system.spawn(attackers, { ...options, host, imports: { calls: neighbour } });
      for (const [name, a, b] of steps) {
        try {
          (attacker.sync as any)[name](a, b);
        } catch (error) {
          assert.ok(error instanceof IpcError, String(error));
          assert.ok(KNOWN.has(error.code), error.code);
          if (error.code === 'ERR_IPC_PEER_GONE') assert.equal(attacker.alive, false, `${name}: ${error.message}`);
        }
      }
      assert.equal(bystander.sync.echo('untouched'), 'untouched');
      assert.deepEqual(verify(), []);
      await attacker.kill();
      await neighbour.kill();
    }),
    { numRuns: 400, ...limits },
  );
  assert.equal(bystander.alive, true);
  await system.shutdown();
});

/** Imports of a random module: name, parameters, whether it gives an i32. */
const IMPORTS: readonly [module: string, name: string, params: number, result: boolean][] = [
  ['l3', 'self', 0, true],
  ['l3', 'sender', 0, true],
  ['l3', 'status', 0, true],
  ['l3', 'task', 2, true],
  ['l3', 'method', 3, true],
  ['l3', 'call', 4, true],
  ['l3', 'call', 2, true],
  ['calls', 'echo__s_s', 2, true],
  ['calls', 'copy__b_b', 2, true],
  ['calls', 'divide', 2, true],
  ['calls', 'trap', 0, false],
  ['calls', 'wild__n_s', 1, true],
  ['host', 'say__s_s', 2, true],
  ['host', 'wait', 1, true],
  ['host', 'again', 0, false],
  ['host', 'end', 1, false],
  ['host', 'fail', 0, false],
  ['wasi_snapshot_preview1', 'fd_write', 4, true],
  ['wasi_snapshot_preview1', 'random_get', 2, true],
  ['wasi_snapshot_preview1', 'fd_fdstat_get', 2, true],
];

const statement = fc.letrec<{ one: string; call: string; caught: string; other: string }>((tie) => ({
  one: fc.oneof({ weight: 6, arbitrary: tie('call') }, { weight: 2, arbitrary: tie('other') }, tie('caught')),
  call: fc.tuple(fc.nat(IMPORTS.length - 1), fc.array(word, { minLength: 4, maxLength: 4 })).map(([at, words]) => {
    const [, , params, result] = IMPORTS[at]!;
    const args = words.slice(0, params).map((value) => `(i32.const ${value})`);
    const call = `(call $i${at} ${args.join(' ')})`;
    return result ? `(drop ${call})` : call;
  }),
  caught: tie('one').map((inner) => `(block (try (do ${inner}) (catch_all)))`),
  other: fc.oneof(
    word.map((value) => `(drop (memory.grow (i32.const ${value & 3})))`),
    fc.tuple(fc.nat(4000), word).map(([at, value]) => `(i32.store (i32.const ${at}) (i32.const ${value}))`),
    fc.constantFrom('(call $run)', 'unreachable', '(nop)', '(throw $tag)'),
  ),
})).one;

const randomModule = fc.record({
  run: fc.array(statement, { minLength: 1, maxLength: 8 }),
  alloc: fc.array(statement, { maxLength: 1 }),
  start: fc.array(statement, { maxLength: 1 }),
  isStarted: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  thread: fc.constantFrom('passive' as const, 'jspi' as const),
  concurrency: fc.integer({ min: 1, max: 3 }),
});

function textOf({
  run,
  alloc,
  start,
  isStarted,
}: {
  run: string[];
  alloc: string[];
  start: string[];
  isStarted: boolean;
}): string {
  const imports = IMPORTS.map(
    ([from, name, params, result], i) =>
      `(import "${from}" "${name}" (func $i${i} ${'(param i32)'.repeat(params)} ${result ? '(result i32)' : ''}))`,
  );
  return `(module ${imports.join('\n')} (memory (export "memory") 1) (data (i32.const 0) "callsaddechotrap") (tag $tag)
    (global $deep (mut i32) (i32.const 0)) (global $top (mut i32) (i32.const 8192))
    (func $alloc (export "l3_alloc") (param i32) (result i32)
      ${alloc.join(' ')} (global.get $top)
      (global.set $top (i32.and (i32.add (global.get $top) (local.get 0)) (i32.const 0xfff8))))
    (func $run (export "run")
      (global.set $deep (i32.add (global.get $deep) (i32.const 1)))
      (if (i32.gt_u (global.get $deep) (i32.const 20)) (then return))
      ${run.join('\n')})
    (func $start ${start.join(' ')}) ${isStarted ? '(start $start)' : ''})`;
}

void test('random modules on every kind of thread end in an answer or in their own end', async () => {
  const system = await boot({ limits: { tasks: 64 } });
  const bystander = await system.spawn(wat(CALLS), { kind: 'wasm', name: 'bystander' });
  let spawned = 0;
  const check = (error: unknown): void => {
    assert.ok(error instanceof IpcError, String(error));
    assert.ok(KNOWN.has(error.code) || error.code === 'ERR_IPC_TIMEOUT', error.message);
  };
  await fc.assert(
    fc.asyncProperty(randomModule, async (made) => {
      const neighbour = await system.spawn(wat(CALLS), { kind: 'wasm', restart: 'on-failure' });
      let attacker: Task | null = null;
      const host = {
        say: (text: string) => text.toUpperCase(),
        wait: (n: number) => (n % 2 === 0 ? n | 0 : Promise.resolve(1)),
        again: () => attacker?.sync.run(),
        end: (n: number) => void (n % 3 === 0 ? attacker?.kill() : n % 3 === 1 ? neighbour.kill() : null),
        fail: () => assert.ok(false, 'on purpose'),
      };
      const { thread } = made;
      const concurrency = thread === 'jspi' ? made.concurrency : undefined;
      const options = { kind: 'wasm', wasi: 'stdio', memory: { pages: 8 }, imports: { calls: neighbour } } as const;
      try {
        attacker = await system.spawn(wat(textOf(made)), { ...options, host, thread, concurrency });
      } catch (error) {
        assert.ok(error instanceof IpcError, String(error));
      }
      if (attacker !== null) {
        spawned++;
        const calls = [1, 2, 3].map(() => attacker!.with({ timeout: 50 }).async.run().catch(check));
        try {
          attacker.sync.run();
        } catch (error) {
          check(error);
        }
        await Promise.all(calls);
      }
      assert.equal(bystander.sync.echo('untouched'), 'untouched');
      assert.deepEqual(verify(), []);
      await attacker?.kill();
      await neighbour.kill();
    }),
    { numRuns: 300, ...limits, interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 2000) },
  );
  assert.ok(spawned > 0);
  assert.equal(bystander.alive, true);
  await system.shutdown();
  assert.deepEqual(verify(), []);
});

const bases = [wasm(ATTACKER), wasm(CALLS)];

void test('what V8 takes for a module is read to its end, and stays the same module with its limits', () => {
  let read = 0;
  const flip = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.constantFrom(...bases), fc.array(flip, { maxLength: 3 }), (base, flips) => {
      const bytes = new Uint8Array(base);
      for (const [at, value] of flips) bytes[at % bytes.length] = value;
      if (!WebAssembly.validate(bytes)) return;
      const module = new WebAssembly.Module(bytes);
      const shape = shapeOf(bytes);
      if (shape.refused.length > 0) return;
      read++;
      assert.deepEqual(
        shape.imports.map(({ module: from, name }) => `${from}.${name}`),
        WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`),
      );
      const functions = WebAssembly.Module.exports(module).filter(({ kind }) => kind === 'function');
      assert.deepEqual(
        shape.exports.map(({ name }) => name),
        functions.map(({ name }) => name),
      );
      const bounds = { pages: 65_536, elements: 10_000_000 };
      if (excessOf(bytes, bounds).length > 0) return;
      const kept = limited(bytes, bounds);
      const again = new WebAssembly.Module(kept);
      assert.deepEqual(WebAssembly.Module.exports(again), WebAssembly.Module.exports(module));
      const heeding = heedful(kept, shape.types, shape.functions);
      assert.ok(heeding === null || WebAssembly.validate(heeding), 'it can no longer be interrupted');
    }),
    { numRuns: 20_000, ...limits },
  );
  assert.ok(read > 200, `${read} modules were read`);
});
