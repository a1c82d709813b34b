/**
 * The conformance suite: what holds for a task of any kind. A kind differs in two things only, which its row states:
 * whether a blocked caller can get the answer of an asynchronous handler, and whether a callback may give a promise.
 */
import assert from 'node:assert/strict';
import { MessageChannel } from 'node:worker_threads';
import { boot, IpcError, lookup } from '../../src/index.ts';
import type { System, Task } from '../../src/index.ts';
import { takeSnapshot } from '../../src/inspect/snapshot.ts';
import { TCB_TRANSFER, tcbOf, type ThreadId } from '../../src/layout/tcb.ts';
import { peek } from '../../src/platform/atomics.ts';
import { fixture, guarded, rejectionOf, sleep, systemTest, thrownBy, until } from './support.ts';

export interface Kind {
  readonly kind: 'worker' | 'local';
  /** The task runs beside its caller: a blocked caller can have the answer of an asynchronous handler. */
  readonly apart: boolean;
}

const url = fixture('calls.ts');

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

function callTests({ kind, apart }: Kind): void {
  systemTest(`${kind}: sync and async calls of sync and async handlers`, async (system) => {
    const t = await system.spawn(url, { kind });
    assert.equal(t.sync.add(1, 2), 3);
    assert.equal(await t.async.add(1, 2), 3);
    assert.equal(await t.async.addLater(1, 2), 3);
    assert.equal(await t.async.addSlowly(1, 2, 5), 3);
    if (apart) {
      assert.equal(t.sync.addLater(1, 2), 3);
      assert.equal(t.sync.addSlowly(1, 2, 5), 3);
    } else {
      assert.equal(thrownBy(() => t.sync.addLater(1, 2)).code, 'ERR_IPC_DEADLOCK');
    }
    assert.equal(t.sync.nothing(), undefined);
    assert.equal(t.sync.add(1, 2), 3);
  });

  systemTest(`${kind}: numbers of arguments from 0 to 300`, async (system) => {
    const t = await system.spawn(url, { kind });
    for (const count of [0, 1, 2, 3, 8, 15, 16, 17, 63, 64, 65, 300]) {
      const numbers = Array.from({ length: count }, (_, i) => i + 0.5);
      assert.equal(t.sync.count(...numbers), count);
      assert.equal(await t.async.count(...numbers.map(String)), count);
      assert.equal(t.sync.count(...numbers.map(() => undefined)), count);
      if (count > 1) assert.deepEqual(t.sync.echo(...numbers), numbers);
    }
  });

  systemTest(`${kind}: values arrive as structuredClone gives them`, async (system) => {
    const t = await system.spawn(url, { kind });
    for (const value of values()) {
      const expected = structuredClone(value);
      assert.deepStrictEqual(t.sync.echo(value), expected);
      assert.deepStrictEqual(await t.async.echo(value), expected);
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

  systemTest(`${kind}: an argument is copied when the call is made`, async (system) => {
    const t = await system.spawn(url, { kind });
    const list = [1];
    const pending = t.async.echo(list);
    const late = Array.from({ length: 200 }, () => t.async.echo(list));
    list.push(2);
    assert.deepEqual(await pending, [1]);
    for (const result of await Promise.all(late)) assert.deepEqual(result, [1]);
    const own = { x: 1 };
    assert.notEqual(t.sync.echo(own), own);
  });

  systemTest(`${kind}: calls that are answered at the same time get their own answers`, async (system) => {
    const t = await system.spawn(url, { kind });
    const list = Array.from({ length: 20 }, (_, i) => i);
    assert.deepEqual(
      await Promise.all(list.map((i) => t.async.addLater(i, i))),
      list.map((i) => 2 * i),
    );
    const texts = list.map((i) => 'x'.repeat(300) + i);
    assert.deepEqual(await Promise.all(texts.map((text) => t.async.echoLater(text))), texts);
    const errors = await Promise.all(list.map((i) => rejectionOf(t.async.failLater(`error ${i}`))));
    assert.deepEqual(
      errors.map(({ message }) => message),
      list.map((i) => `error ${i}`),
    );
  });

  systemTest(`${kind}: shared buffers and ports`, async (system) => {
    const t = await system.spawn(url, { kind });
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

  systemTest(`${kind}: a default export is called default; classes and constants are dropped`, async (system) => {
    const t = await system.spawn(url, { kind });
    assert.equal(t.sync.default(), 'the default export');
    assert.ok(!Object.keys(t.sync).includes('Dropped'));
    assert.ok(!Object.keys(t.sync).includes('constant'));
    assert.ok(Object.keys(t.async).includes('add'));
  });
}

function stubTests({ kind }: Kind): void {
  systemTest(`${kind}: stubs are plain functions of an object without a prototype's names`, async (system) => {
    const t = await system.spawn(url, { kind });
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

  systemTest(`${kind}: a misspelt method names the exports`, async (system) => {
    const t = await system.spawn(url, { kind, name: 'speller' });
    const error = thrownBy(() => t.sync.ad(1, 2));
    assert.ok(error instanceof IpcError);
    assert.equal(error.code, 'ERR_IPC_NO_SUCH_METHOD');
    assert.match(error.message, /'speller'.*'ad'.*did you mean 'add'.*addLater/s);
  });

  systemTest(`${kind}: with() refuses what is no option`, async (system) => {
    const t = await system.spawn(url, { kind });
    assert.throws(() => t.with({ timeout: -1 }), RangeError);
    assert.throws(() => t.with({ timeout: 'soon' as never }), RangeError);
    assert.throws(() => t.with({ signal: {} as never }), TypeError);
    assert.throws(() => t.with({ timeuot: 5 } as never), /timeuot/);
  });
}

function errorTests({ kind, apart }: Kind): void {
  systemTest(`${kind}: an error arrives as itself`, async (system) => {
    const t = await system.spawn(url, { kind, name: 'thrower' });
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
      assert.match(stack, /at fail \(.*calls\.ts/);
      assert.match(stack, /at <ipc thrower\.fail>/);
      assert.ok(stack.indexOf('calls.ts') < stack.indexOf('<ipc thrower.fail>'));
    }
    assert.match(String(thrownBy(call).stack), /<ipc thrower\.fail>[^]*at .*theCallersFrame/);
    assert.match(
      String((await rejectionOf(awaiting())).stack),
      /<ipc thrower\.fail>[^]*at (?:async )?theAwaitersFrame/,
    );
    assert.equal((await rejectionOf(t.async.failLater('later'))).message, 'later');
    if (apart) assert.equal(thrownBy(() => t.sync.failLater('later')).message, 'later');
    assert.equal(t.sync.add(1, 2), 3);
  });

  systemTest(`${kind}: what is thrown and is no error arrives as it is`, async (system) => {
    const t = await system.spawn(url, { kind });
    for (const value of [undefined, null, 0, 'text', { plain: [1] }]) {
      assert.deepEqual(
        thrownBy(() => t.sync.failWith(value)),
        value,
      );
      assert.deepEqual(await rejectionOf(t.async.failWith(value)), value);
    }
  });

  systemTest(`${kind}: what cannot be cloned is refused with its path, and the pair goes on`, async (system) => {
    const t = await system.spawn(url, { kind, name: 'strict' });
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
  });

  systemTest(`${kind}: a stack overflow in a handler is an error, not a death`, async (system) => {
    const t = await system.spawn(url, { kind });
    assert.ok(thrownBy(() => t.sync.overflow()) instanceof RangeError);
    assert.ok((await rejectionOf(t.async.overflow())) instanceof RangeError);
    assert.equal(t.sync.add(1, 2), 3);
    assert.equal(t.alive, true);
  });
}

function limitTests({ kind, apart }: Kind): void {
  systemTest(`${kind}: a signal aborted before the call`, async (system) => {
    const t = await system.spawn(url, { kind });
    const reason = new Error('changed my mind');
    const stubs = t.with({ signal: AbortSignal.abort(reason) });
    for (const error of [thrownBy(() => stubs.sync.add(1, 2)), await rejectionOf(stubs.async.add(1, 2))]) {
      assert.equal(error.code, 'ERR_IPC_ABORTED');
      assert.equal(error.cause, reason);
    }
    assert.equal(t.sync.add(1, 2), 3);
  });

  systemTest(`${kind}: an abort ends a pending call, waiting, polling or in the heap`, async (system) => {
    const t = await system.spawn(url, { kind, concurrency: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 200 }, () => rejectionOf(t.with({ signal }).async.addSlowly(1, 2, 200)));
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

  if (apart) {
    systemTest(`${kind}: an abort or a timeout while a callback runs ends the call behind it`, async (system) => {
      const t = await system.spawn(url, { kind });
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
    });
  }

  systemTest(`${kind}: an .async call times out, and the next one works`, async (system) => {
    const t = await system.spawn(url, { kind, name: 'slow' });
    const error = await rejectionOf(t.with({ timeout: 20 }).async.addSlowly(1, 2, 150));
    assert.ok(error instanceof IpcError);
    assert.equal(error.code, 'ERR_IPC_TIMEOUT');
    assert.equal(error.phase, 'receive');
    assert.equal(error.task, 'slow');
    assert.equal(error.method, 'addSlowly');
    assert.ok(error.elapsed_ms! >= 19 && error.elapsed_ms! < 5000, String(error.elapsed_ms));
    // The callee is still busy with the first, whose late answer nobody gets.
    assert.equal(await t.async.addSlowly(10, 20, 200), 30);
    assert.equal(await t.async.add(3, 4), 7);
    assert.equal(t.sync.add(3, 4), 7);
  });

  systemTest(`${kind}: a timeout in time leaves the call alone`, async (system) => {
    const t = await system.spawn(url, { kind, timeout: 5000 });
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

  if (!apart) return;

  systemTest(`${kind}: a .sync call times out, and the next one works while the callee is busy`, async (system) => {
    const t = await system.spawn(url, { kind, name: 'slow' });
    const waited = thrownBy(() => t.with({ timeout: 20 }).sync.addSlowly(1, 2, 100));
    assert.equal(waited.code, 'ERR_IPC_TIMEOUT');
    assert.equal(waited.phase, 'receive');
    assert.equal(t.sync.add(3, 4), 7);
    const burned = thrownBy(() => t.with({ timeout: 20 }).sync.burn(300));
    assert.equal(burned.code, 'ERR_IPC_TIMEOUT');
    assert.ok(burned.elapsed_ms >= 19 && burned.elapsed_ms < 5000, String(burned.elapsed_ms));
    const polled = thrownBy(() => t.with({ timeout: 5 }).sync.add(1, 2));
    assert.equal(polled.code, 'ERR_IPC_TIMEOUT');
    assert.equal(polled.phase, 'send');
    for (let i = 0; i < 50; i++) assert.equal(t.sync.add(i, 4), i + 4);
  });

  systemTest(`${kind}: an abort behind the taking of a long message leaves the callee whole`, async (system) => {
    const t = await system.spawn(url, { kind });
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
  });

  systemTest(`${kind}: timeout 0 asks without waiting`, async (system) => {
    const t = await system.spawn(url, { kind });
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

  systemTest(`${kind}: timeout 0 does not wait in the heap either`, async (system) => {
    const t = await system.spawn(url, { kind });
    const pending = Array.from({ length: 100 }, () => t.async.addSlowly(1, 2, 50));
    assert.equal((await rejectionOf(t.with({ timeout: 0 }).async.add(1, 2))).code, 'ERR_IPC_TIMEOUT');
    await Promise.all(pending);
  });

  systemTest(`${kind}: a timeout ends calls that wait in the heap`, async (system) => {
    const t = await system.spawn(url, { kind, concurrency: 1 });
    const timed = t.with({ timeout: 40 });
    const calls = Array.from({ length: 300 }, () => rejectionOf(timed.async.addSlowly(1, 2, 150)));
    for (const error of await Promise.all(calls)) assert.equal(error.code, 'ERR_IPC_TIMEOUT', String(error));
    assert.equal(await t.async.add(1, 2), 3);
  });

  guarded(`${kind}: the timeout of boot holds for all calls`, async () => {
    const system = await boot({ timeout: 20 });
    const t = await system.spawn(url, { kind });
    // Long enough that the caller runs again before the answer is there, on a machine with many busy threads too.
    assert.equal(thrownBy(() => t.sync.burn(400)).code, 'ERR_IPC_TIMEOUT');
    assert.equal((await rejectionOf(t.async.addSlowly(1, 2, 400))).code, 'ERR_IPC_TIMEOUT');
    await system.shutdown();
    // It went with its system.
    const next = await boot();
    const u = await next.spawn(url, { kind });
    assert.equal(u.sync.burn(60), 60);
    await next.shutdown();
  });
}

function upcallTests({ kind, apart }: Kind): void {
  systemTest(`${kind}: function arguments are called back`, async (system) => {
    const t = await system.spawn(url, { kind });
    const double = (x: number): number => 2 * x;
    assert.equal(t.sync.callWith(double, 21), 42);
    assert.equal(await t.async.callWith(double, 21), 42);
    assert.equal(await t.async.callLaterWith(double, 21), 42);
    if (apart) assert.equal(t.sync.callLaterWith(double, 21), 42);
    assert.equal(t.sync.callMany(double, 1000), 999_000);
    assert.equal(await t.async.callMany(double, 300), 89_700);
    const holder = { list: [double, double], map: new Map([['fn', double]]), object: { fn: double } };
    assert.deepEqual(t.sync.callInside(holder), [2, 4, 6, 8]);
    assert.deepEqual(await t.async.callInside(holder), [2, 4, 6, 8]);
  });

  systemTest(`${kind}: a callback is given a function to call back`, async (system) => {
    const t = await system.spawn(url, { kind });
    assert.equal(
      t.sync.callBothWays((back: (x: number) => number) => back(4) + 1),
      41,
    );
    assert.equal(await t.async.callBothWays((back: (x: number) => number) => back(4) + 1), 41);
  });

  systemTest(`${kind}: what a callback throws arrives in the callee, and goes through it`, async (system) => {
    const t = await system.spawn(url, { kind });
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

  systemTest(`${kind}: a callback that gives a promise`, async (system) => {
    const t = await system.spawn(url, { kind });
    const later = async (x: number): Promise<number> => {
      await sleep(2);
      if (x < 0) throw new RangeError('negative');
      return x + 1;
    };
    for (const x of [1, -1]) {
      const error = thrownBy(() => t.sync.callWith(later, x));
      assert.equal(error.code, 'ERR_IPC_DEADLOCK', String(error));
    }
    if (apart) {
      assert.equal(await t.async.callWith(later, 1), 2);
      assert.equal(await t.async.callLaterWith(later, 1), 2);
      assert.equal((await rejectionOf(t.async.callWith(later, -1))).message, 'negative');
    } else {
      assert.equal((await rejectionOf(t.async.callWith(later, 1))).code, 'ERR_IPC_DEADLOCK');
    }
    assert.equal(t.sync.add(1, 2), 3);
    await sleep(10);
  });

  systemTest(`${kind}: a function argument is revoked when its call returns`, async (system) => {
    const t = await system.spawn(url, { kind });
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

  systemTest(`${kind}: upcalls nest 40 deep`, async (system) => {
    const t = await system.spawn(url, { kind });
    const down = (depth: number): number => t.sync.nest(depth, down);
    assert.equal(t.sync.nest(40, down), 40);
    assert.equal(await t.async.nest(40, down), 40);
    assert.equal(t.sync.add(1, 2), 3);
  });

  systemTest(`${kind}: upcalls that nest without end are refused`, async (system) => {
    const t = await system.spawn(url, { kind });
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

  systemTest(`${kind}: host functions from sync and async handlers, for .sync and .async callers`, async (system) => {
    const host = {
      isLan: (address: string): boolean => address.startsWith('10.'),
      broken: (): never => {
        throw new RangeError('the host is out');
      },
      later: async (x: number): Promise<number> => {
        await sleep(2);
        return x * 2;
      },
    };
    const t = await system.spawn(url, { kind, host });
    assert.equal(t.sync.askHost('isLan', '10.0.0.1'), true);
    assert.equal(await t.async.askHost('isLan', '11.0.0.1'), false);
    assert.equal(await t.async.askHostLater('isLan', '10.0.0.1'), true);
    assert.equal(await t.async.askHostAsync('isLan', '10.0.0.1'), true);
    assert.equal(await t.async.askHostAsync('later', 4), 8);
    assert.equal(thrownBy(() => t.sync.askHost('broken')).message, 'the host is out');
    assert.equal(thrownBy(() => t.sync.askHost('isLn')).code, 'ERR_IPC_NO_SUCH_METHOD');
    assert.equal(thrownBy(() => t.sync.askHost('later', 4)).code, 'ERR_IPC_DEADLOCK');
    if (apart) {
      assert.equal(t.sync.askHostLater('isLan', '10.0.0.1'), true);
      assert.equal(t.sync.askHostAsync('isLan', '10.0.0.1'), true);
      assert.equal(await t.async.askHost('later', 4), 8);
      assert.equal(thrownBy(() => t.sync.askHostLater('later', 4)).code, 'ERR_IPC_DEADLOCK');
    }
    assert.equal(t.sync.add(1, 2), 3);
  });

  systemTest(`${kind}: a ring of two tasks is an upcall`, async (system) => {
    const a = await system.spawn(url, { kind, name: 'a' });
    await system.spawn(url, { kind, name: 'b' });
    assert.equal(a.sync.askRound('b', 'a'), 23);
    assert.equal(await a.async.askRound('b', 'a'), 23);
    assert.equal(await a.async.askLater('b', 'ask', 'a', 'add', 20, 3), 23);
    if (!apart) return;
    assert.equal(a.sync.askLater('b', 'ask', 'a', 'add', 20, 3), 23);
    assert.equal(a.sync.askLater('b', 'askLater', 'a', 'add', 20, 3), 23);
    assert.equal(a.sync.ask('b', 'askAsync', 'a', 'add', 20, 3), 23);
    assert.equal(a.sync.askAsync('b', 'askAsync', 'a', 'addLater', 20, 3), 23);
  });
}

function requestTests({ kind, apart }: Kind): void {
  systemTest(`${kind}: here names the task, its chief and the sender`, async (system) => {
    const t = await system.spawn(url, { kind });
    const main = system.tasks().find((info) => info.kind === 'main')!;
    assert.deepEqual(t.sync.identity(), { id: t.id, chief: main.id });
    assert.equal(typeof t.sync.senderOf(), 'number');
    assert.ok(t.sync.senderOf() > 0);
    assert.equal((await t.async.senderAfterAwait()).code, 'ERR_IPC_DENIED');
    assert.equal((await t.async.signalAfterAwait()).code, 'ERR_IPC_DENIED');
  });

  systemTest(`${kind}: here.signal is aborted when the caller gives up, and only then`, async (system) => {
    const t = await system.spawn(url, { kind });
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
    if (!apart) return;
    thrownBy(() => t.with({ timeout: 20 }).sync.watchSignal(400));
    await until(() => t.sync.abortCount() === before + 3);
  });

  systemTest(`${kind}: concurrency bounds the asynchronous handlers under way`, async (system) => {
    const t = await system.spawn(url, { kind, concurrency: 3 });
    const peaks = await Promise.all(Array.from({ length: 12 }, () => t.async.overlap(10)));
    assert.equal(Math.max(...(peaks as number[])), 3);
    const u = await system.spawn(fixture('overlap.ts'), { kind });
    const free = await Promise.all(Array.from({ length: 12 }, () => u.async.overlapHere(30)));
    assert.ok(Math.max(...(free as number[])) > 3);
  });

  systemTest(`${kind}: lookup finds the task, and its handle cannot kill`, async (system) => {
    const t = await system.spawn(url, { kind, name: 'found' });
    const other = lookup('found');
    assert.equal(other.sync.add(1, 2), 3);
    assert.equal(await other.async.add(1, 2), 3);
    assert.equal(other.id, t.id);
    assert.equal(other.name, 'found');
    assert.equal(other.kind, kind);
    assert.equal((await rejectionOf(other.kill())).code, 'ERR_IPC_DENIED');
    await t.kill();
    await until(() => !other.alive);
    assert.equal(t.alive, false);
    assert.equal(thrownBy(() => lookup('found')).code, 'ERR_IPC_NO_SUCH_THREAD');
  });

  systemTest(`${kind}: kill ends the task for good`, async (system) => {
    const t = await system.spawn(url, { kind, name: 'mortal' });
    const pending = apart ? rejectionOf(t.async.addSlowly(1, 2, 1000)) : null;
    await sleep(10);
    await t.kill();
    await t.kill();
    assert.equal(t.alive, false);
    assert.equal((await t.exited).reason, 'killed');
    if (pending !== null) assert.equal((await pending).code, 'ERR_IPC_PEER_GONE');
    assert.equal(thrownBy(() => t.sync.add(1, 2)).code, 'ERR_IPC_PEER_GONE');
    assert.equal((await rejectionOf(t.async.add(1, 2))).code, 'ERR_IPC_PEER_GONE');
    const next = await system.spawn(url, { kind, name: 'mortal' });
    assert.equal(next.sync.add(1, 2), 3);
    assert.notEqual(next.id, t.id);
    assert.equal(thrownBy(() => t.sync.add(1, 2)).code, 'ERR_IPC_PEER_GONE');
  });
}

function memoryTests({ kind }: Kind): void {
  systemTest(`${kind}: 200,000 calls leave no memory behind`, async (system: System) => {
    const t: Task = await system.spawn(url, { kind });
    const rest = { text: 'some text that goes as a stream', list: [1, 2, 3] };
    // On a crowded machine a call can take a hundred times as long: what counts is that many were made.
    const round = async (calls: number, limit_ms: number): Promise<number> => {
      const end_ms = performance.now() + limit_ms;
      for (let i = 0; i < calls && (i % 100 !== 0 || performance.now() < end_ms); i++) {
        t.sync.add(i, 1);
        if (i % 20 === 0) t.sync.echo(rest);
        if (i % 40 === 0) t.sync.callWith((x: number) => x, i);
        if (i % 400 === 0) await Promise.all(Array.from({ length: 10 }, () => t.async.add(i, 1)));
      }
      return process.memoryUsage().rss / 2 ** 20;
    };
    await round(60_000, 3000);
    const before_MiB = await round(20_000, 1000);
    const after_MiB = await round(120_000, 5000);
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
