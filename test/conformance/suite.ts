/**
 * The conformance suite: what holds for a task of any kind, as rows; the kinds are in suite-kinds.ts. A case that does
 * not apply to a kind says why.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { boot, IpcError, lookup } from '../../src/index.ts';
import type { SpawnOptions, System, Task } from '../../src/index.ts';
import { takeSnapshot } from '../../src/inspect/snapshot.ts';
import { TCB_TRANSFER, tcbOf, type ThreadId } from '../../src/layout/tcb.ts';
import { peek } from '../../src/platform/atomics.ts';
import type { Kind, Need } from './suite-kinds.ts';
import { fixture, guarded, rejectionOf, sleep, systemTest, thrownBy, until } from './support.ts';

/** A case for a kind; where the kind lacks what the case needs, it says why. */
function check(kind: Kind, needs: readonly Need[], title: string, run: (system: System) => void | Promise<void>): void {
  const lacking = needs.map((need) => kind.lacks[need]).find((reason) => reason !== undefined);
  const name = `${kind.name}: ${title}`;
  const skip = lacking === undefined ? false : `does not apply: ${lacking}`;
  if (skip === false) systemTest(name, run);
  else void test(name, { skip });
}

const has = (kind: Kind, need: Need): boolean => kind.lacks[need] === undefined;

/** Every value that must arrive as `structuredClone` would give it. */
const values = (): unknown[] => [
  0,
  -0,
  1.5,
  NaN,
  -Infinity,
  2 ** 53,
  -(2 ** 31),
  2 ** 31,
  true,
  false,
  null,
  undefined,
  '',
  'short',
  'ü',
  '€ and 𝄞',
  '\ud800 alone',
  'x'.repeat(300),
  'x'.repeat(200_000),
  10n ** 30n,
  -1n,
  new Date(0),
  /a.b/giu,
  [],
  [1, 'two', [3, { four: 4 }]],
  // A hole is not undefined.
  Object.assign(Array(3), { 0: 1, 2: 3 }),
  { a: 1, b: { c: [null, undefined] } },
  Object.assign(Object.create(null), { plain: true }),
  new Map<unknown, unknown>([
    [1, 'one'],
    [{ key: 1 }, new Set([1, 2])],
  ]),
  new Set(['a', 1]),
  new Uint8Array([1, 2, 3]),
  new Float64Array([1.5, -0, NaN]),
  new BigInt64Array([1n, -1n]),
  new Uint8Array([9, 8, 7, 6]).subarray(1, 3),
  new Uint8Array([1, 2, 3]).buffer,
  new DataView(new Uint8Array([1, 2]).buffer, 1),
  Buffer.from('buffer'),
  new Uint8Array(3 << 20).fill(7),
  new Error('an error as a value'),
  new RangeError('with a cause', { cause: new Error('inner') }),
];

const cyclic = (): unknown => {
  const value: Record<string, unknown> = { name: 'cycle', shared: { x: 1 } };
  value['self'] = value;
  value['again'] = value['shared'];
  return value;
};

/** What a task whose functions are over numbers, strings in UTF-8 and bytes gives back. */
const plainValues = (): unknown[] =>
  values().filter(
    (value) => typeof value === 'number' || (typeof value === 'string' && value.isWellFormed()) || isBytes(value),
  );
const isBytes = (value: unknown): boolean => Object(value).constructor === Uint8Array;

/** The function of a kind that gives a value back. */
function echoOf(kind: Kind, value: unknown): string {
  if (has(kind, 'objects')) return 'echo';
  return typeof value === 'number' ? 'same' : typeof value === 'string' ? 'echo' : 'copy';
}

function callTests(kind: Kind): void {
  check(kind, [], 'sync and async calls', async (system) => {
    const t = await kind.spawn(system);
    assert.equal(t.kind, kind.kind);
    assert.equal(t.sync.add(1, 2), 3);
    assert.equal(await t.async.add(1, 2), 3);
    assert.equal(t.sync.nothing(), undefined);
    assert.equal(await t.async.nothing(), undefined);
    assert.equal(t.sync.add(1, 2), 3);
  });

  check(kind, ['waits'], 'sync and async calls of handlers that wait', async (system) => {
    const t = await kind.spawn(system, { restart: 'on-failure' });
    assert.equal(await t.async.addLater(1, 2), 3);
    assert.equal(await t.async.addSlowly(1, 2, 5), 3);
    if (kind.ownTurns) assert.equal(t.sync.addLater(1, 2), 3);
    else assert.equal(thrownBy(() => t.sync.addLater(1, 2)).code, kind.cannotWait);
    if (has(kind, 'ownLoop')) assert.equal(t.sync.addSlowly(1, 2, 5), 3);
    else assert.equal(thrownBy(() => t.sync.addSlowly(1, 2, 5)).code, kind.cannotWait);
    assert.equal(t.sync.add(1, 2), 3);
    assert.equal(await t.async.addSlowly(1, 2, 1), 3);
  });

  check(kind, ['objects'], 'numbers of arguments from 0 to 300', async (system) => {
    const t = await kind.spawn(system);
    for (const count of [0, 1, 2, 3, 8, 15, 16, 17, 63, 64, 65, 300]) {
      const numbers = Array.from({ length: count }, (_, i) => i + 0.5);
      assert.equal(t.sync.count(...numbers), count);
      assert.equal(await t.async.count(...numbers.map(String)), count);
      assert.equal(t.sync.count(...numbers.map(() => undefined)), count);
      if (count > 1) assert.deepEqual(t.sync.echo(...numbers), numbers);
    }
  });

  check(kind, [], 'values arrive as structuredClone gives them', async (system) => {
    const t = await kind.spawn(system);
    for (const value of has(kind, 'objects') ? values() : plainValues()) {
      const expected = structuredClone(value);
      const echo = echoOf(kind, value);
      assert.deepStrictEqual(t.sync[echo](value), expected);
      assert.deepStrictEqual(await t.async[echo](value), expected);
    }
  });

  check(kind, ['objects', 'functions'], 'values of promises and of callbacks are the same', async (system) => {
    const t = await kind.spawn(system);
    for (const value of values()) {
      const expected = structuredClone(value);
      assert.deepStrictEqual(await t.async.echoLater(value), expected);
      assert.deepStrictEqual(
        t.sync.callWith((x: unknown) => x, value),
        expected,
      );
    }
    const back = t.sync.echo(cyclic());
    assert.equal(back.self, back);
    assert.equal(back.again, back.shared);
  });

  check(kind, ['ownStubs'], 'an argument is copied when the call is made', async (system) => {
    const t = await kind.spawn(system);
    const list = has(kind, 'objects') ? [1] : new Uint8Array([1]);
    const echo = echoOf(kind, list);
    const pending = t.async[echo](list);
    const late = Array.from({ length: 200 }, () => t.async[echo](list));
    list[0] = 2;
    for (const result of await Promise.all([pending, ...late])) assert.deepEqual([...result], [1]);
    const own = has(kind, 'objects') ? { x: 1 } : list;
    assert.notEqual(t.sync[echoOf(kind, own)](own), own);
  });

  check(kind, ['waits'], 'calls that are answered at the same time get their own answers', async (system) => {
    const t = await kind.spawn(system);
    const list = Array.from({ length: 20 }, (_, i) => i);
    assert.deepEqual(
      await Promise.all(list.map((i) => t.async.addLater(i, i))),
      list.map((i) => 2 * i),
    );
    const texts = list.map((i) => 'x'.repeat(300) + i);
    assert.deepEqual(await Promise.all(texts.map((text) => t.async.echo(text))), texts);
    if (!has(kind, 'errors')) return;
    assert.deepEqual(await Promise.all(texts.map((text) => t.async.echoLater(text))), texts);
    const errors = await Promise.all(list.map((i) => rejectionOf(t.async.failLater(`error ${i}`))));
    assert.deepEqual(
      errors.map(({ message }) => message),
      list.map((i) => `error ${i}`),
    );
  });

  check(kind, ['ports'], 'shared buffers and ports', async (system) => {
    const t = await kind.spawn(system);
    const shared = new SharedArrayBuffer(8);
    const back = t.sync.echo(new Int32Array(shared)) as Int32Array;
    back[0] = 17;
    assert.equal(new Int32Array(shared)[0], 17);
    const { port1, port2 } = new MessageChannel();
    const returned = await t.async.echo({ port: port2 });
    const heard = new Promise((resolve) => returned.port.once('message', resolve));
    port1.postMessage('through two tasks');
    assert.equal(await heard, 'through two tasks');
    port1.close();
  });

  check(kind, ['objects'], 'a default export is called default; classes and constants are dropped', async (system) => {
    const t = await kind.spawn(system);
    assert.equal(t.sync.default(), 'the default export');
    assert.ok(!Object.keys(t.sync).includes('Dropped'));
    assert.ok(!Object.keys(t.sync).includes('constant'));
    assert.ok(Object.keys(t.async).includes('add'));
  });
}

function stubTests(kind: Kind): void {
  check(kind, ['ownStubs'], "stubs are plain functions of an object without a prototype's names", async (system) => {
    const t = await kind.spawn(system);
    const { add } = t.sync;
    assert.equal(add(2, 3), 5);
    assert.equal(typeof add, 'function');
    for (const name of ['then', 'constructor', '__proto__', 'prototype', 'toJSON']) {
      assert.equal((t.sync as any)[name], undefined, name);
      assert.equal((t.async as any)[name], undefined, name);
    }
    assert.equal(await Promise.resolve(t.async), t.async);
    assert.ok(!('hasOwnProperty' in t.sync));
    assert.doesNotThrow(() => String(Object.keys(t.sync)));
  });

  check(kind, ['ownStubs'], 'a misspelt method names the exports', async (system) => {
    const t = await kind.spawn(system, { name: 'speller' });
    const error = thrownBy(() => t.sync.ad(1, 2));
    assert.ok(error instanceof IpcError);
    assert.equal(error.code, 'ERR_IPC_NO_SUCH_METHOD');
    assert.match(error.message, /'speller'.*'ad'.*did you mean 'add'.*addLater/s);
  });

  check(kind, ['ownStubs'], 'with() refuses what is no option', async (system) => {
    const t = await kind.spawn(system);
    assert.throws(() => t.with({ timeout: -1 }), RangeError);
    assert.throws(() => t.with({ timeout: 'soon' as never }), RangeError);
    assert.throws(() => t.with({ signal: {} as never }), TypeError);
    assert.throws(() => t.with({ timeuot: 5 } as never), /timeuot/);
  });
}

function errorTests(kind: Kind): void {
  check(kind, ['errors'], 'an error arrives as itself', async (system) => {
    const t = await kind.spawn(system, { name: 'thrower' });
    const call = function theCallersFrame(): unknown {
      return t.sync.fail('on purpose');
    };
    const awaiting = async function theAwaitersFrame(): Promise<unknown> {
      return await t.async.fail('on purpose');
    };
    for (const error of [thrownBy(call), await rejectionOf(awaiting())]) {
      assert.ok(error instanceof TypeError);
      assert.ok(!(error instanceof IpcError));
      assert.equal(error.name, 'OddError');
      assert.equal(error.message, 'on purpose');
      assert.equal((error as any).code, 'ERR_ODD');
      assert.deepEqual((error as any).detail, { odd: [1, 3, 5] });
      assert.ok(error.cause instanceof RangeError);
      assert.equal((error.cause as Error).cause, 'the end');
      const stack = String(error.stack);
      assert.match(stack, /^OddError: on purpose|^TypeError: on purpose/);
      assert.match(stack, /at fail \(.*calls-plain\.ts/);
      assert.match(stack, /at <ipc thrower\.fail>/);
      assert.ok(stack.indexOf('calls-plain.ts') < stack.indexOf('<ipc thrower.fail>'));
    }
    assert.match(String(thrownBy(call).stack), /<ipc thrower\.fail>[^]*at .*theCallersFrame/);
    assert.match(
      String((await rejectionOf(awaiting())).stack),
      /<ipc thrower\.fail>[^]*at (?:async )?theAwaitersFrame/,
    );
    assert.equal((await rejectionOf(t.async.failLater('later'))).message, 'later');
    if (kind.ownTurns) assert.equal(thrownBy(() => t.sync.failLater('later')).message, 'later');
    assert.equal(t.sync.add(1, 2), 3);
  });

  check(kind, ['errors'], 'what is thrown and is no error arrives as it is', async (system) => {
    const t = await kind.spawn(system);
    for (const value of [undefined, null, 0, 'text', { plain: [1] }]) {
      assert.deepEqual(
        thrownBy(() => t.sync.failWith(value)),
        value,
      );
      assert.deepEqual(await rejectionOf(t.async.failWith(value)), value);
    }
  });

  check(
    kind,
    ['objects', 'errors'],
    'what cannot be cloned is refused with its path, and the pair goes on',
    async (system) => {
      const t = await kind.spawn(system, { name: 'strict' });
      const argument = { list: [1, { deep: Symbol('s') }] };
      for (const error of [thrownBy(() => t.sync.echo(argument)), await rejectionOf(t.async.echo(argument))]) {
        assert.ok(error instanceof IpcError, String(error));
        assert.equal(error.code, 'ERR_IPC_NOT_CLONEABLE');
        assert.match(error.message, /strict\.echo/);
        assert.ok(error.message.includes('args[0].list[1].deep'), error.message);
      }
      assert.equal(t.sync.add(1, 2), 3);
      const results = [thrownBy(() => t.sync.giveSymbol()), await rejectionOf(t.async.giveSymbol())];
      for (const error of results) {
        assert.equal(error.code, 'ERR_IPC_NOT_CLONEABLE', String(error));
        assert.ok(error.message.includes('result.list[1]'), error.message);
      }
      const late = await rejectionOf(t.async.giveSymbolLater());
      assert.equal(late.code, 'ERR_IPC_NOT_CLONEABLE');
      assert.ok(late.message.includes('result.deep.symbol'), late.message);
      assert.equal(thrownBy(() => t.sync.giveFunction()).code, 'ERR_IPC_NOT_CLONEABLE');
      assert.equal(t.sync.add(1, 2), 3);
      const inside = t.sync.passSymbol(() => 1);
      assert.equal(inside.code, 'ERR_IPC_NOT_CLONEABLE');
      assert.ok(inside.message.includes('args[0].here'), inside.message);
      const backwards = t.sync.catchFrom(() => Symbol('s'));
      assert.equal(backwards.code, 'ERR_IPC_NOT_CLONEABLE');
      assert.equal(await t.async.add(1, 2), 3);
    },
  );

  check(kind, [], 'a stack overflow in a handler ends its call, and the next one works', async (system) => {
    const t = await kind.spawn(system, { restart: 'on-failure' });
    for (const error of [thrownBy(() => t.sync.overflow()), await rejectionOf(t.async.overflow())]) {
      assert.equal(error.code ?? error.name, kind.overflows, String(error));
      assert.equal(await t.async.add(1, 2), 3);
      assert.equal(t.sync.add(1, 2), 3);
    }
    assert.equal(t.alive, true);
  });
}

/** Handlers wait for each other, where a kind can be told so. */
const oneAtATime = (kind: Kind): SpawnOptions => (kind.takesConcurrency ? { concurrency: 1 } : {});

function limitTests(kind: Kind): void {
  check(kind, ['ownStubs'], 'a signal aborted before the call', async (system) => {
    const t = await kind.spawn(system);
    const reason = new Error('changed my mind');
    const stubs = t.with({ signal: AbortSignal.abort(reason) });
    for (const error of [thrownBy(() => stubs.sync.add(1, 2)), await rejectionOf(stubs.async.add(1, 2))]) {
      assert.equal(error.code, 'ERR_IPC_ABORTED');
      assert.equal(error.cause, reason);
    }
    assert.equal(t.sync.add(1, 2), 3);
  });

  check(kind, ['waits'], 'an abort ends a pending call, waiting, polling or in the heap', async (system) => {
    const t = await kind.spawn(system, oneAtATime(kind));
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 200 }, () =>
      rejectionOf(t.with({ signal }).async.addSlowly(1, 2, kind.slow_ms)),
    );
    await sleep(30);
    const reason = new Error('enough');
    controller.abort(reason);
    for (const error of await Promise.all(calls)) {
      assert.equal(error.code, 'ERR_IPC_ABORTED', String(error));
      assert.equal(error.cause, reason);
    }
    assert.equal(await t.async.add(1, 2), 3);
    // The signal that outlives its calls does nothing any more.
    const second = new AbortController();
    assert.equal(await t.with({ signal: second.signal }).async.add(1, 2), 3);
    second.abort();
    assert.equal(await t.async.add(1, 2), 3);
  });

  check(
    kind,
    ['functions', 'apart', 'ownLoop'],
    'an abort or a timeout while a callback runs ends the call behind it',
    async (system) => {
      const t = await kind.spawn(system);
      const late_ms = 20_000;
      const limits = [{ signal: AbortSignal.timeout(20) }, { timeout: 20 }];
      const slow = limits.map((limit) => t.with(limit).async.callThenWait(() => sleep(100), late_ms));
      const began_ms = performance.now();
      const codes = (await Promise.all(slow.map((call) => rejectionOf(call)))).map(({ code }) => code);
      assert.deepEqual(codes, ['ERR_IPC_ABORTED', 'ERR_IPC_TIMEOUT']);
      // In place, a callback uses the time of its call up.
      const burn = (time_ms: number) => (): void => {
        for (const end_ms = performance.now() + time_ms; performance.now() < end_ms;);
      };
      assert.equal(thrownBy(() => t.with({ timeout: 400 }).sync.callThenWait(burn(300), late_ms)).code, codes[1]);
      assert.ok(performance.now() - began_ms < late_ms);
      assert.equal(await t.async.add(1, 2), 3);
    },
  );

  check(kind, ['waits'], 'an .async call times out, and the next one works', async (system) => {
    const t = await kind.spawn(system, { name: 'slow' });
    const error = await rejectionOf(t.with({ timeout: 20 }).async.addSlowly(1, 2, 150));
    assert.ok(error instanceof IpcError);
    assert.equal(error.code, 'ERR_IPC_TIMEOUT', String(error));
    assert.equal(error.phase, 'receive');
    assert.equal(error.task, 'slow');
    assert.equal(error.method, 'addSlowly');
    assert.ok(error.elapsed_ms! >= 19 && error.elapsed_ms! < 5000, String(error.elapsed_ms));
    // The callee is still busy with the first, whose late answer nobody gets.
    assert.equal(await t.async.addSlowly(10, 20, 200), 30);
    assert.equal(await t.async.add(3, 4), 7);
    assert.equal(t.sync.add(3, 4), 7);
  });

  check(kind, ['ownStubs'], 'a timeout in time leaves the call alone', async (system) => {
    const t = await kind.spawn(system, { timeout: 5000 });
    for (let i = 0; i < 200; i++) {
      assert.equal(t.sync.add(i, 1), i + 1);
      assert.equal(await t.async.add(i, 1), i + 1);
    }
    assert.equal(await t.with({ timeout: Infinity }).async.add(1, 1), 2);
    // Parts of a millisecond are rounded up. A busy machine may well be late for one, but not each time.
    const brief = t.with({ timeout: 0.5 }).sync;
    const answers = Array.from({ length: 100 }, () => {
      try {
        return brief.add(1, 1);
      } catch (error) {
        return (error as IpcError).code;
      }
    });
    assert.ok(answers.includes(2));
  });

  check(kind, ['apart'], 'a .sync call times out, and the next one works while the callee is busy', async (system) => {
    const t = await kind.spawn(system, { name: 'slow' });
    if (has(kind, 'ownLoop')) {
      const waited = thrownBy(() => t.with({ timeout: 20 }).sync.addSlowly(1, 2, 100));
      assert.equal(waited.code, 'ERR_IPC_TIMEOUT');
      assert.equal(waited.phase, 'receive');
      assert.equal(t.sync.add(3, 4), 7);
    }
    const burned = thrownBy(() => t.with({ timeout: 20 }).sync.burn(300));
    assert.equal(burned.code, 'ERR_IPC_TIMEOUT');
    assert.ok(burned.elapsed_ms >= 19 && burned.elapsed_ms < 5000, String(burned.elapsed_ms));
    const polled = thrownBy(() => t.with({ timeout: 5 }).sync.add(1, 2));
    assert.equal(polled.code, 'ERR_IPC_TIMEOUT');
    assert.equal(polled.phase, 'send');
    for (let i = 0; i < 50; i++) assert.equal(t.sync.add(i, 4), i + 4);
  });

  check(
    kind,
    ['apart', 'ports'],
    'an abort behind the taking of a long message leaves the callee whole',
    async (system) => {
      const t = await kind.spawn(system);
      const controller = new AbortController();
      const flag = new Int32Array(new SharedArrayBuffer(4));
      const held = t.async.hold(flag);
      const long = rejectionOf(t.with({ signal: controller.signal }).async.echo(new Uint8Array(3 << 20)));
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
      // The loop of the caller stands still while the message is taken, so that none of its bytes are sent.
      while (!takeSnapshot().threads.some(({ id }) => peek(tcbOf(id as ThreadId) + TCB_TRANSFER) !== 0));
      controller.abort();
      assert.equal((await long).code, 'ERR_IPC_ABORTED');
      await held;
      assert.equal(await t.with({ timeout: 10_000 }).async.add(1, 2), 3);
    },
  );

  check(kind, ['apart', 'ownStubs'], 'timeout 0 asks without waiting', async (system) => {
    const t = await kind.spawn(system);
    const now = t.with({ timeout: 0 });
    const burning = t.async.burn(80);
    await sleep(10);
    const refused = thrownBy(() => now.sync.add(1, 2));
    assert.equal(refused.code, 'ERR_IPC_TIMEOUT');
    assert.equal(refused.phase, 'send');
    assert.equal((await rejectionOf(now.async.add(1, 2))).code, 'ERR_IPC_TIMEOUT');
    await burning;
    await sleep(20);
    assert.equal(now.sync.add(1, 2), 3);
    await sleep(20);
    assert.equal(await now.async.add(1, 2), 3);
  });

  check(kind, ['apart', 'waits', 'ownStubs'], 'timeout 0 does not wait in the heap either', async (system) => {
    const t = await kind.spawn(system);
    const pending = Array.from({ length: 100 }, () => t.async.addSlowly(1, 2, kind.overlaps ? 50 : 5));
    assert.equal((await rejectionOf(t.with({ timeout: 0 }).async.add(1, 2))).code, 'ERR_IPC_TIMEOUT');
    await Promise.all(pending);
  });

  check(kind, ['waits', 'ownStubs'], 'a timeout ends calls that wait in the heap', async (system) => {
    const t = await kind.spawn(system, oneAtATime(kind));
    const timed = t.with({ timeout: 40 });
    const calls = Array.from({ length: 300 }, () => rejectionOf(timed.async.addSlowly(1, 2, kind.slow_ms)));
    for (const error of await Promise.all(calls)) assert.equal(error.code, 'ERR_IPC_TIMEOUT', String(error));
    assert.equal(await t.async.add(1, 2), 3);
  });

  if (!has(kind, 'apart') || !has(kind, 'ownStubs')) return;
  guarded(`${kind.name}: the timeout of boot holds for all calls`, async () => {
    const system = await boot({ timeout: 20 });
    const t = await kind.spawn(system);
    // Long enough that the caller runs again before the answer is there, on a machine with many busy threads too.
    assert.equal(thrownBy(() => t.sync.burn(400)).code, 'ERR_IPC_TIMEOUT');
    assert.equal((await rejectionOf(t.async.addSlowly(1, 2, 400))).code, 'ERR_IPC_TIMEOUT');
    await system.shutdown();
    // It went with its system.
    const next = await boot();
    const u = await kind.spawn(next);
    assert.equal(u.sync.burn(60), 60);
    await next.shutdown();
  });
}

function upcallTests(kind: Kind): void {
  check(kind, ['functions'], 'function arguments are called back', async (system) => {
    const t = await kind.spawn(system);
    const double = (x: number): number => 2 * x;
    assert.equal(t.sync.callWith(double, 21), 42);
    assert.equal(await t.async.callWith(double, 21), 42);
    assert.equal(await t.async.callLaterWith(double, 21), 42);
    if (has(kind, 'ownLoop')) assert.equal(t.sync.callLaterWith(double, 21), 42);
    assert.equal(t.sync.callMany(double, 1000), 999_000);
    assert.equal(await t.async.callMany(double, 300), 89_700);
    const holder = { list: [double, double], map: new Map([['fn', double]]), object: { fn: double } };
    assert.deepEqual(t.sync.callInside(holder), [2, 4, 6, 8]);
    assert.deepEqual(await t.async.callInside(holder), [2, 4, 6, 8]);
  });

  check(kind, ['ownFunctions'], 'a callback is given a function to call back', async (system) => {
    const t = await kind.spawn(system);
    assert.equal(
      t.sync.callBothWays((back: (x: number) => number) => back(4) + 1),
      41,
    );
    assert.equal(await t.async.callBothWays((back: (x: number) => number) => back(4) + 1), 41);
  });

  check(kind, ['functions'], 'what a callback throws arrives in the callee, and goes through it', async (system) => {
    const t = await kind.spawn(system);
    const failing = (): never => {
      throw Object.assign(new RangeError('thrown back', { cause: new Error('why') }), { code: 'ERR_BACK' });
    };
    const caught = { name: 'RangeError', message: 'thrown back', code: 'ERR_BACK', cause: 'why' };
    assert.deepEqual(t.sync.catchFrom(failing), caught);
    assert.deepEqual(await t.async.catchFrom(failing), caught);
    const through = thrownBy(() => t.sync.callWith(failing));
    assert.equal(through.code, 'ERR_BACK');
    assert.ok(through instanceof RangeError);
    assert.equal((await rejectionOf(t.async.callLaterWith(failing))).code, 'ERR_BACK');
    assert.equal(t.sync.add(1, 2), 3);
  });

  check(kind, ['functions'], 'a callback that gives a promise', async (system) => {
    const t = await kind.spawn(system);
    const later = async (x: number): Promise<number> => {
      await sleep(2);
      if (x < 0) throw new RangeError('negative');
      return x + 1;
    };
    for (const x of [1, -1]) {
      const error = thrownBy(() => t.sync.callWith(later, x));
      assert.equal(error.code, 'ERR_IPC_DEADLOCK', String(error));
    }
    if (kind.awaitsCallbacks) {
      assert.equal(await t.async.callWith(later, 1), 2);
      assert.equal(await t.async.callLaterWith(later, 1), 2);
      assert.equal((await rejectionOf(t.async.callWith(later, -1))).message, 'negative');
    } else {
      assert.equal((await rejectionOf(t.async.callWith(later, 1))).code, 'ERR_IPC_DEADLOCK');
    }
    assert.equal(t.sync.add(1, 2), 3);
    await sleep(10);
  });

  check(kind, ['functions'], 'a function argument is revoked when its call returns', async (system) => {
    const t = await kind.spawn(system);
    assert.equal(
      t.sync.keep(() => 'fine'),
      'fine',
    );
    assert.equal(thrownBy(() => t.sync.callKept()).code, 'ERR_IPC_REVOKED');
    assert.equal((await rejectionOf(t.async.callKept())).code, 'ERR_IPC_REVOKED');
    assert.equal(await t.async.keep(() => 'fine'), 'fine');
    assert.equal(thrownBy(() => t.sync.callKept()).code, 'ERR_IPC_REVOKED');
    // Not even while another call with a function of the same place is under way.
    assert.equal(thrownBy(() => t.sync.callKept(() => 1)).code, 'ERR_IPC_REVOKED');
  });

  check(kind, ['reentry'], 'upcalls nest 40 deep', async (system) => {
    const t = await kind.spawn(system);
    const down = (depth: number): number => t.sync.nest(depth, down);
    assert.equal(t.sync.nest(40, down), 40);
    assert.equal(await t.async.nest(40, down), 40);
    assert.equal(t.sync.add(1, 2), 3);
  });

  check(kind, ['reentry'], 'upcalls that nest without end are refused', async (system) => {
    const t = await kind.spawn(system);
    let depth = 0;
    const error = thrownBy(() =>
      t.sync.nest(100_000, function down(left: number): number {
        depth++;
        return t.sync.nest(left, down);
      }),
    );
    assert.ok(error.code === 'ERR_IPC_LIMIT' || error instanceof RangeError, String(error));
    assert.ok(depth >= 40);
    assert.equal(t.sync.add(1, 2), 3);
  });

  check(kind, [], 'functions of the host are called, and what they throw ends the call', async (system) => {
    const double = (x: number): number => {
      if (x < 0) throw new RangeError('the host is out');
      return 2 * x;
    };
    const t = await kind.spawn(system, { host: { double }, restart: 'on-failure' });
    assert.equal(t.sync.twice(21), 42);
    assert.equal(await t.async.twice(-0.5 + 1), 1);
    for (const error of [thrownBy(() => t.sync.twice(-1)), await rejectionOf(t.async.twice(-1))]) {
      assert.match(error.message, /the host is out/);
      if (!has(kind, 'errors')) assert.equal(error.code, 'ERR_IPC_PEER_GONE');
    }
    assert.equal(await t.async.twice(21), 42);
    assert.equal(t.sync.add(1, 2), 3);
  });

  check(kind, ['waits'], 'a function of the host gives a promise to an .async call', async (system) => {
    const later = async (x: number): Promise<number> => {
      await sleep(2);
      return 2 * x;
    };
    const t = await kind.spawn(system, { host: { later }, restart: 'on-failure' });
    assert.equal(await t.async.later(4), 8);
    assert.deepEqual(await Promise.all([1, 2, 3].map((x) => t.async.later(x))), [2, 4, 6]);
    assert.equal(thrownBy(() => t.sync.later(4)).code, kind.cannotWait);
    assert.equal(t.sync.add(1, 2), 3);
  });

  check(
    kind,
    ['functions'],
    'host functions from sync and async handlers, for .sync and .async callers',
    async (system) => {
      let told = 0;
      const host = {
        isLan: (address: string): boolean => address.startsWith('10.'),
        tell: (): void => void told++,
        broken: (): never => {
          throw new RangeError('the host is out');
        },
        later: async (x: number): Promise<number> => {
          await sleep(2);
          return x * 2;
        },
      };
      const t = await kind.spawn(system, { host });
      assert.equal(t.sync.askHost('isLan', '10.0.0.1'), true);
      assert.equal(await t.async.askHost('isLan', '11.0.0.1'), false);
      assert.equal(await t.async.askHostLater('isLan', '10.0.0.1'), true);
      assert.equal(await t.async.askHostAsync('isLan', '10.0.0.1'), true);
      assert.equal(await t.async.askHostAsync('later', 4), 8);
      assert.equal(thrownBy(() => t.sync.askHost('broken')).message, 'the host is out');
      if (has(kind, 'here')) assert.equal(thrownBy(() => t.sync.askHost('isLn')).code, 'ERR_IPC_NO_SUCH_METHOD');
      if (has(kind, 'here')) {
        for (let i = 0; i < 10; i++) assert.equal(t.sync.tellHost('tell'), 'gone on');
        await until(() => told === 10);
        assert.equal(await t.async.tellHost('tell'), 'gone on');
        await until(() => told === 11);
      }
      assert.equal(thrownBy(() => t.sync.askHost('later', 4)).code, 'ERR_IPC_DEADLOCK');
      if (has(kind, 'ownLoop')) {
        assert.equal(t.sync.askHostLater('isLan', '10.0.0.1'), true);
        assert.equal(t.sync.askHostAsync('isLan', '10.0.0.1'), true);
        assert.equal(await t.async.askHost('later', 4), 8);
        assert.equal(thrownBy(() => t.sync.askHostLater('later', 4)).code, 'ERR_IPC_DEADLOCK');
      }
      assert.equal(t.sync.add(1, 2), 3);
    },
  );

  check(kind, ['here'], 'a ring of two tasks is an upcall', async (system) => {
    const a = await kind.spawn(system, { name: 'a' });
    await kind.spawn(system, { name: 'b' });
    assert.equal(a.sync.askRound('b', 'a'), 23);
    assert.equal(await a.async.askRound('b', 'a'), 23);
    assert.equal(await a.async.askLater('b', 'ask', 'a', 'add', 20, 3), 23);
    if (!has(kind, 'ownLoop')) return;
    assert.equal(a.sync.askLater('b', 'ask', 'a', 'add', 20, 3), 23);
    assert.equal(a.sync.askLater('b', 'askLater', 'a', 'add', 20, 3), 23);
    assert.equal(a.sync.ask('b', 'askAsync', 'a', 'add', 20, 3), 23);
    assert.equal(a.sync.askAsync('b', 'askAsync', 'a', 'addLater', 20, 3), 23);
  });
}

function requestTests(kind: Kind): void {
  check(kind, ['ids'], 'a task knows its own id, and who called', async (system) => {
    const t = await kind.spawn(system);
    assert.equal(t.sync.ownId(), t.id);
    for (const sender of [t.sync.senderOf(), await t.async.senderOf()]) assert.ok(sender > 0 && sender !== t.id);
  });

  check(kind, ['here'], 'here names the task, its chief and the sender', async (system) => {
    const t = await kind.spawn(system);
    const main = system.tasks().find((info) => info.kind === 'main')!;
    assert.deepEqual(t.sync.identity(), { id: t.id, chief: main.id });
    assert.equal(typeof t.sync.senderOf(), 'number');
    assert.ok(t.sync.senderOf() > 0);
    assert.equal((await t.async.senderAfterAwait()).code, 'ERR_IPC_DENIED');
    assert.equal((await t.async.signalAfterAwait()).code, 'ERR_IPC_DENIED');
  });

  check(kind, ['here'], 'here.signal is aborted when the caller gives up, and only then', async (system) => {
    const t = await kind.spawn(system);
    const before = t.sync.abortCount();
    assert.equal(await t.async.watchSignal(80), false);
    assert.equal(t.sync.abortCount(), before);
    await rejectionOf(t.with({ timeout: 20 }).async.watchSignal(400));
    await until(() => t.sync.abortCount() === before + 1);
    const controller = new AbortController();
    const pending = rejectionOf(t.with({ signal: controller.signal }).async.watchSignal(400));
    await sleep(20);
    controller.abort();
    assert.equal((await pending).code, 'ERR_IPC_ABORTED');
    await until(() => t.sync.abortCount() === before + 2);
    if (!has(kind, 'apart')) return;
    thrownBy(() => t.with({ timeout: 20 }).sync.watchSignal(400));
    await until(() => t.sync.abortCount() === before + 3);
  });

  check(kind, ['concurrency'], 'concurrency bounds the asynchronous handlers under way', async (system) => {
    const t = await kind.spawn(system, { concurrency: 3 });
    const peaks = await Promise.all(Array.from({ length: 12 }, () => t.async.overlap(10)));
    assert.equal(Math.max(...(peaks as number[])), 3);
    if (!has(kind, 'here')) return;
    const u = await system.spawn(fixture('overlap.ts'), { kind: kind.kind });
    const free = await Promise.all(Array.from({ length: 12 }, () => u.async.overlapHere(30)));
    assert.ok(Math.max(...(free as number[])) > 3);
  });

  check(kind, [], 'lookup finds the task, and its handle cannot kill', async (system) => {
    const t = await kind.spawn(system, { name: 'found' });
    const other = lookup('found');
    assert.equal(other.sync.add(1, 2), 3);
    assert.equal(await other.async.add(1, 2), 3);
    assert.equal(other.id, t.id);
    assert.equal(other.name, 'found');
    assert.equal(other.kind, kind.kind);
    assert.equal((await rejectionOf(other.kill())).code, 'ERR_IPC_DENIED');
    await t.kill();
    await until(() => !other.alive);
    assert.equal(t.alive, false);
    assert.equal(thrownBy(() => lookup('found')).code, 'ERR_IPC_NO_SUCH_THREAD');
  });

  check(kind, [], 'kill ends the task for good', async (system) => {
    const t = await kind.spawn(system, { name: 'mortal' });
    // Whoever runs in our own loop goes on with what it waits for, for a while.
    const pending = kind.name !== 'local' && has(kind, 'waits') ? rejectionOf(t.async.addSlowly(1, 2, 1000)) : null;
    await sleep(10);
    await t.kill();
    await t.kill();
    assert.equal(t.alive, false);
    assert.equal((await t.exited).reason, 'killed');
    if (pending !== null) assert.equal((await pending).code, 'ERR_IPC_PEER_GONE');
    assert.equal(thrownBy(() => t.sync.add(1, 2)).code, 'ERR_IPC_PEER_GONE');
    assert.equal((await rejectionOf(t.async.add(1, 2))).code, 'ERR_IPC_PEER_GONE');
    const next = await kind.spawn(system, { name: 'mortal' });
    assert.equal(next.sync.add(1, 2), 3);
    assert.notEqual(next.id, t.id);
    assert.equal(thrownBy(() => t.sync.add(1, 2)).code, 'ERR_IPC_PEER_GONE');
  });
}

function memoryTests(kind: Kind): void {
  check(kind, [], 'many calls leave no memory behind', async (system: System) => {
    const t: Task = await kind.spawn(system);
    const rest = { text: 'some text that goes as a stream', list: [1, 2, 3] };
    // On a crowded machine a call can take a hundred times as long: what counts is that many were made.
    const round = async (calls: number, limit_ms: number): Promise<number> => {
      const end_ms = performance.now() + limit_ms;
      for (let i = 0; i < calls && (i % 100 !== 0 || performance.now() < end_ms); i++) {
        t.sync.add(i, 1);
        if (i % 20 === 0) t.sync.echo(has(kind, 'objects') ? rest : rest.text);
        if (i % 40 === 0 && has(kind, 'functions')) t.sync.callWith((x: number) => x, i);
        if (i % 400 === 0) await Promise.all(Array.from({ length: 10 }, () => t.async.add(i, 1)));
      }
      return process.memoryUsage().rss / 2 ** 20;
    };
    const { patience } = kind;
    await round(60_000 * patience, 3000 * patience);
    const before_MiB = await round(20_000 * patience, 1000 * patience);
    const after_MiB = await round(120_000 * patience, 5000 * patience);
    assert.ok(after_MiB - before_MiB < 40, `${before_MiB.toFixed()} MiB, then ${after_MiB.toFixed()} MiB`);
  });
}

/** The tests of one kind of task. */
export function conformance(kind: Kind): void {
  callTests(kind);
  stubTests(kind);
  errorTests(kind);
  limitTests(kind);
  upcallTests(kind);
  requestTests(kind);
  memoryTests(kind);
}
