/** Sandboxes: JavaScript in QuickJS, what holds for it and for no other kind. The attacks are in sandbox-hostile. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IpcError, lookup, task } from '../../src/index.ts';
import type { System, Task } from '../../src/index.ts';
import { fixture, guarded, rejectionOf, sleep, systemTest, thrownBy } from './support.ts';
import { script } from '../support/script.ts';

const engine = 'quickjs';
const plugin = fixture('plugin.ts');
const modules = { 'shout.ts': 'export const shout = (text: string): string => text.toUpperCase() + "!";' };

const spawnPlugin = (system: System, options = {}): Promise<Task> =>
  system.spawn(plugin, { engine, modules, ...options });

systemTest('SBX0010 sandbox: a TypeScript module with a granted import is called as any task', async (system) => {
  const t = await spawnPlugin(system, { name: 'plugin' });
  assert.equal(t.kind, 'wasm');
  assert.equal(t.name, 'plugin');
  assert.deepEqual(Object.keys(t.sync).sort(), ['add', 'count', 'echo', 'fail', 'loud', 'middle']);
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(await t.async.add(0.5, -2), -1.5);
  assert.deepEqual(t.sync.middle({ x: 0, y: 2 }, { x: 4, y: 0 }), { x: 2, y: 1 });
  assert.equal(t.sync.loud('hello'), 'HELLO!');
  assert.equal(t.sync.count(), 1);
  assert.equal(await t.async.count(), 2);
  const found = lookup('plugin');
  assert.equal(found.sync.count(), 3);
  assert.equal(await found.async.count(), 4);
  assert.match(thrownBy(() => t.sync.ad(1)).message, /did you mean 'add'/);
  assert.equal(thrownBy(() => t.sync.constant).code, 'ERR_IPC_NO_SUCH_METHOD');
  const info = system.tasks().find(({ name }) => name === 'plugin');
  assert.equal(info?.kind, 'wasm');
  await t.kill();
  assert.deepEqual(await t.exited, { code: 1, reason: 'killed' });
  assert.equal(thrownBy(() => t.sync.add(1, 2)).code, 'ERR_IPC_PEER_GONE');
});

systemTest('SBX0020 sandbox: spawnSync, data: urls and task() do the same', async (system) => {
  const t = system.spawnSync(script('export const twice = (x) => 2 * x;'), { engine });
  assert.equal(t.sync.twice(21), 42);
  const typed = system.spawnSync(
    `data:text/typescript,${encodeURIComponent('export const f = (x: number): number => x;')}`,
    {
      engine,
    },
  );
  assert.equal(typed.sync.f(5), 5);
  const lazy = task(script('export const half = (x) => x / 2;'), { engine });
  assert.equal(lazy.kind, 'wasm');
  assert.equal(lazy.sync.half(9), 4.5);
  await lazy.kill();
});

const shared = { s: 'shared' };
const cyclic: { self?: unknown; list: unknown[] } = { list: [] };
cyclic.self = cyclic;
cyclic.list.push(cyclic);

const values: Record<string, unknown> = {
  undefined,
  null: null,
  booleans: [true, false],
  integers: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53],
  fractions: [0.1, -1e300, 5e-324, Number.MAX_VALUE, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  'minus zero': -0,
  NaN: Number.NaN,
  bigints: [0n, 1n, -1n, 2n ** 63n, -(2n ** 64n), 10n ** 100n],
  strings: ['', 'a', 'ü€𝄞', 'a\0b', '\ud800', 'x\udc00y\ufffd', '\ufeff', 'l'.repeat(100_000)],
  holes: Object.assign(Array.from({ length: 1 }, () => 1).concat(new Array(3)), { 2: 3 }),
  'extra properties of an array': Object.assign([1, 2], { more: 'x' }),
  nested: { a: { b: [{ c: new Map([[{ k: 1 }, new Set([1, 'two'])]]) }] } },
  date: [new Date(0), new Date(8.64e15)],
  regexp: /a[^b]+(?<n>c)/giu,
  boxed: [Object(1), Object('s'), Object(false), Object(2n)],
  bytes: new Uint8Array([1, 2, 255]),
  views: [
    new Float64Array([1.5, -0]),
    new Int16Array([-5]),
    new BigInt64Array([-1n]),
    new DataView(new ArrayBuffer(3)),
  ],
  buffer: new ArrayBuffer(5),
  'an own __proto__': JSON.parse('{"__proto__": {"x": 1}, "y": 2}'),
  'the same object twice': [shared, shared],
  cycle: cyclic,
};

systemTest('SBX0030 sandbox: values cross exactly, both ways', async (system) => {
  const t = await spawnPlugin(system);
  for (const [name, value] of Object.entries(values)) {
    const back = t.sync.echo(value);
    assert.deepStrictEqual(back, structuredClone(value), name);
  }
  assert.ok(Object.is(t.sync.echo(-0), -0));
  assert.ok(Number.isNaN((t.sync.echo(new Date(Number.NaN)) as Date).getTime()));
  const twice = t.sync.echo(values['the same object twice']) as unknown[];
  assert.equal(twice[0], twice[1]);
  const buffer = new ArrayBuffer(4);
  const views = t.sync.echo([new Uint8Array(buffer), new Uint8Array(buffer, 2, 1)]) as Uint8Array[];
  assert.equal(views[0]!.buffer, views[1]!.buffer);
  assert.equal(views[1]!.byteOffset, 2);
  const pooled = Buffer.from('pooled');
  const sent = t.sync.echo(pooled) as Uint8Array;
  assert.equal(sent.buffer.byteLength, pooled.length, 'a buffer of the pool is sent without its neighbours');
  const error = t.sync.echo(Object.assign(new RangeError('far', { cause: new Error('deep') }), { code: 'E_FAR' }));
  assert.ok(error instanceof RangeError);
  assert.deepEqual([error.message, (error as any).code, (error.cause as Error).message], ['far', 'E_FAR', 'deep']);
  assert.equal(t.sync.echo(1, 2, 3), 1);
  const into = new Uint8Array(8);
  const placed = t.with({ into }).sync.echo(new Uint8Array([7, 8])) as Uint8Array;
  assert.deepEqual([placed.buffer === into.buffer, [...into.subarray(0, 3)]], [true, [7, 8, 0]]);
  assert.equal((await rejectionOf(t.with({ into }).async.echo(new Uint8Array(9)))).code, 'ERR_IPC_OVERFLOW');
  const many = Array.from({ length: 40 }, (_, i) => i);
  assert.equal((await system.spawn(script('export const f = (...a) => a.length'), { engine })).sync.f(...many), 40);
});

systemTest('SBX0040 sandbox: what cannot cross is refused with its path, both ways', async (system) => {
  const t = await spawnPlugin(system, { name: 'p' });
  const shapes: [unknown, RegExp][] = [
    [{ a: [Symbol('s')] }, /^p\.echo\(\): args\[0\]\.a\[0\]: a symbol cannot be sent$/],
    [new WeakMap(), /a WeakMap cannot be sent/],
    [{ p: Promise.resolve(1) }, /args\[0\]\.p: a Promise cannot be sent/],
    [new Uint8Array(new SharedArrayBuffer(4)), /shared memory/],
  ];
  for (const [value, message] of shapes) {
    const error = thrownBy(() => t.sync.echo(value));
    assert.equal(error.code, 'ERR_IPC_NOT_CLONEABLE');
    assert.match(error.message, message);
  }
  const guest = await system.spawn(
    script(`export const f = () => ({ a: [1, { g() {} }] });
      export const s = () => [Symbol('x')];
      export const p = () => ({ then: [Promise.resolve()] });
      export const w = () => new WeakSet();
      export const gen = () => (function* () {})();
      export const deep = () => { let x = []; for (let i = 0; i < 2000; i++) x = [x]; return x; };`),
    { engine, name: 'g' },
  );
  const refused = (name: string): string => thrownBy(() => guest.sync[name]()).message;
  assert.match(refused('f'), /^g\.f\(\): result\.a\[1\]\.g: a function cannot be sent$/);
  assert.match(refused('s'), /result\[0\]: a symbol cannot be sent/);
  assert.match(refused('p'), /result\.then\[0\]: a Promise cannot be sent/);
  assert.match(refused('w'), /result: a WeakSet cannot be sent/);
  assert.match(refused('gen'), /a Generator cannot be sent/);
  assert.equal(thrownBy(() => guest.sync.deep()).code, 'ERR_IPC_LIMIT');
});

systemTest('SBX0050 sandbox: functions of the host are upcalls, and functions as arguments too', async (system) => {
  const t = await system.spawn(
    script(`export const run = (x) => host.twice(x) + 1;
      export const names = () => [typeof host.twice, host.twice.name, Object.keys(host), Object.isFrozen(host)];
      export const object = () => host.object({ a: [1n] });
      export const fails = () => { try { host.fails() } catch (e) { return [e.name, e.message, e.code, e instanceof Error, e.stack.includes('/')] } };
      export const each = (list, f) => list.map((x) => f(x));
      let kept; export const keep = (f) => { kept = f; return f(1) }; export const use = () => kept(2);`),
    {
      engine,
      host: {
        twice: (x: number) => 2 * x,
        object: (o: { a: bigint[] }) => ({ got: o.a[0]! + 1n, map: new Map([[1, 2]]) }),
        fails() {
          throw Object.assign(new RangeError('no'), { code: 'E_NO' });
        },
        notAFunction: 1 as never,
      },
    },
  );
  assert.equal(t.sync.run(20), 41);
  assert.deepEqual(t.sync.names(), ['function', 'twice', ['twice', 'object', 'fails'], true]);
  assert.deepEqual(t.sync.object(), { got: 2n, map: new Map([[1, 2]]) });
  assert.deepEqual(t.sync.fails(), ['RangeError', 'no', 'E_NO', true, false]);
  assert.deepEqual(
    t.sync.each([1, 2], (x: number) => x + 10),
    [11, 12],
  );
  assert.equal(
    t.sync.keep((x: number) => x),
    1,
  );
  assert.match(thrownBy(() => t.sync.use()).message, /valid until its call returns/);
});

systemTest('SBX0060 sandbox: asynchronous functions of the host are awaited in it', async (system) => {
  const later = async (x: number): Promise<number> => {
    await sleep(5);
    if (x < 0) throw new TypeError('negative');
    return x + 1;
  };
  const t = await system.spawn(
    script(`export const one = async (x) => (await host.later(x)) * 2;
      export const all = async (n) => (await Promise.all(Array.from({ length: n }, (_, i) => host.later(i)))).length;
      export const settled = async (x) => x;
      export const caught = async () => { try { await host.later(-1) } catch (e) { return e.name + ': ' + e.message } };
      export const uncaught = async () => { await host.later(-1) };
      export const refused = async () => { try { await host.odd() } catch (e) { return e.code } };
      export const bad = async () => { await host.later(1); return { f() {} } };
      export const never = () => new Promise(() => {});
      export const callback = async (f) => { await host.later(1); return f(5); };`),
    { engine, host: { later, odd: async () => Symbol('odd') } },
  );
  assert.equal(await t.async.one(20), 42);
  assert.equal(await t.async.all(50), 50);
  assert.deepEqual(await Promise.all([t.async.one(1), t.async.one(2)]), [4, 6]);
  assert.equal(t.sync.settled(7), 7);
  assert.equal(await t.async.caught(), 'TypeError: negative');
  assert.ok((await rejectionOf(t.async.uncaught())) instanceof TypeError);
  assert.equal(await t.async.refused(), 'ERR_IPC_NOT_CLONEABLE');
  assert.match((await rejectionOf(t.async.bad())).message, /result\.f: a function cannot be sent/);
  assert.equal(thrownBy(() => t.sync.one(1)).code, 'ERR_IPC_DEADLOCK');
  assert.equal((await rejectionOf(t.with({ timeout: 20 }).async.never())).code, 'ERR_IPC_TIMEOUT');
  const controller = new AbortController();
  const pending = t.with({ signal: controller.signal }).async.never();
  controller.abort();
  assert.equal((await rejectionOf(pending)).code, 'ERR_IPC_ABORTED');
  assert.equal(thrownBy(() => t.with({ signal: controller.signal }).sync.settled(1)).code, 'ERR_IPC_ABORTED');
  assert.equal(await t.async.callback((x: number) => x + 1), 6, 'a function argument lives as long as its call');
  const gone = t.async.never();
  await t.kill();
  assert.equal((await rejectionOf(gone)).code, 'ERR_IPC_PEER_GONE');
});

systemTest("SBX0070 sandbox: errors arrive with the script's own lines", async (system) => {
  const t = await spawnPlugin(system, { name: 'p' });
  const error = thrownBy(() => t.sync.fail());
  assert.ok(error instanceof TypeError);
  assert.equal(error.message, 'not today');
  assert.match(error.stack!, /^TypeError: not today\n {4}at fail \(plugin\.ts:22:\d+\)\n {4}at <ipc p\.fail>\n/);
  assert.match(error.stack!, /sandbox\.test\.ts/);
  assert.doesNotMatch(error.stack!, /prelude/);
  const thrown = await system.spawn(script('export const f = (x) => { throw x; }'), { engine });
  assert.equal(
    thrownBy(() => thrown.sync.f(5)),
    5,
  );
  assert.deepEqual(
    thrownBy(() => thrown.sync.f({ a: 1 })),
    { a: 1 },
  );
});

systemTest('SBX0080 sandbox: a module that does not start says where', async (system) => {
  const failing = async (text: string, options = {}): Promise<IpcError> => {
    const error = await rejectionOf(system.spawn(script(text), { engine, name: 'bad', ...options }));
    assert.ok(error instanceof IpcError);
    assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
    assert.equal(error.phase, 'spawn');
    return error;
  };
  const syntax = await failing('export const a = 1;\nexport const b = ;\n');
  assert.match(syntax.message, /^task 'bad' did not start: SyntaxError: .* \(task\.js:2:\d+\)$/);
  assert.ok(syntax.cause instanceof SyntaxError);
  const thrown = await failing('\n\nthrow new RangeError("early")');
  assert.match(thrown.message, /RangeError: early \(task\.js:3:\d+\)/);
  assert.match(
    (await failing('import fs from "node:fs"')).message,
    /'node:fs', which task\.js imports, was not granted/,
  );
  assert.match((await failing('await new Promise(() => {})')).message, /awaits at its top level/);
  assert.match((await failing('for (;;);', { timeout: 20 })).message, /no answer within 1000 ms/);
  assert.match(
    (await rejectionOf(system.spawn('https://example.org/x.js', { engine }))).message,
    /data:text\/javascript/,
  );
  assert.match((await rejectionOf(system.spawn(new URL('gone.js', plugin), { engine }))).message, /tried/);
});

systemTest('SBX0090 sandbox: modules come from a function too, which is told who asks', async (system) => {
  const asked: string[] = [];
  const t = await system.spawn(
    script(`import { a } from 'lib/a.js'; export const f = () => a;
      export const late = async (name) => (await import(name)).default;`),
    {
      engine,
      modules(specifier, referrer) {
        asked.push(`${referrer} > ${specifier}`);
        if (specifier === 'lib/a.js') return 'import { b } from "./b.ts"; export const a = b + 1;';
        if (specifier === './b.ts') return 'export const b: number = 41;';
        if (specifier === 'dynamic') return 'export default "came later"';
        return undefined;
      },
    },
  );
  assert.equal(t.sync.f(), 42);
  assert.deepEqual(asked, ['task.js > lib/a.js', 'lib/a.js > ./b.ts']);
  assert.equal(t.sync.late('dynamic'), 'came later');
  assert.match(thrownBy(() => t.sync.late('fs')).message, /'fs', which task\.js imports, was not granted/);
});

systemTest('SBX0100 sandbox: console goes where the chief says, up to a limit', async (system) => {
  const lines: string[] = [];
  const options = {
    engine,
    limits: { outputBytes: 1000 },
    console: (level: string, text: string) => void lines.push(`${level} ${text}`),
  } as const;
  const t = await system.spawn(
    script(`export const say = () => { console.log('a', 1, { b: [2] }, null); console.warn(3n); console.error(new Error('e')) };
      export const flood = () => { for (;;) try { console.log('x'.repeat(100)) } catch {} };`),
    options,
  );
  t.sync.say();
  assert.deepEqual(lines.slice(0, 2), ['log a 1 {"b":[2]} null', 'warn 3n']);
  assert.match(lines[2]!, /^error Error: e\n +at say/);
  const error = thrownBy(() => t.sync.flood());
  assert.equal(error.code, 'ERR_IPC_LIMIT');
  assert.match(error.message, /1000 bytes of output \(limits\.outputBytes\)/);
  assert.equal(lines.length, 12);
  t.sync.say();
});

systemTest('SBX0110 sandbox: a call that is too long ends, and the next one works', async (system) => {
  const text = `let n = 0; export const count = () => ++n; export const loop = () => { for (;;); };`;
  const t = await system.spawn(script(text), { engine, timeout: 30 });
  t.sync.count();
  const { id } = t;
  const error = thrownBy(() => t.sync.loop());
  assert.equal(error.code, 'ERR_IPC_TIMEOUT');
  assert.equal(error.method, 'loop');
  assert.equal((await rejectionOf(t.with({ timeout: 10 }).async.loop())).code, 'ERR_IPC_TIMEOUT');
  assert.equal(t.sync.count(), 2, 'it is kept');
  assert.equal(t.id, id);
  const killed = await system.spawn(script(text), { engine, timeout: 30, onTimeout: 'kill' });
  killed.sync.count();
  const before = killed.id;
  assert.equal(thrownBy(() => killed.sync.loop()).code, 'ERR_IPC_TIMEOUT');
  assert.equal(killed.sync.count(), 1, 'it is another');
  assert.notEqual(killed.id, before);
  assert.equal(killed.alive, true);
});

systemTest('SBX0120 sandbox: what cannot be interrupted is stopped, and the task is replaced', async (system) => {
  const text = `export const add = (a, b) => a + b; export const sort = () => { const a = []; a.length = 2 ** 32 - 1; a.sort(); };`;
  const t = await system.spawn(script(text), { engine, timeout: 30, restart: 'on-failure' });
  assert.equal(thrownBy(() => t.sync.sort()).code, 'ERR_IPC_TIMEOUT');
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(system.tasks().find(({ id }) => id === t.id)?.counts['restarts'], 1);
  const once = await system.spawn(script(text), { engine, timeout: 30 });
  assert.equal(thrownBy(() => once.sync.sort()).code, 'ERR_IPC_TIMEOUT');
  assert.equal(thrownBy(() => once.sync.add(1, 2)).code, 'ERR_IPC_PEER_GONE');
  assert.equal((await once.exited).code, 1);
});

systemTest('SBX0130 sandbox: memory, stack and host calls have limits, and the task lives on', async (system) => {
  const t = await system.spawn(
    script(`export const bomb = () => { const a = []; for (;;) a.push('x'.repeat(10000) + a.length); };
      export const down = (n) => n === 0 ? 0 : 1 + down(n - 1);
      export const calls = (n) => { for (let i = 0; i < n; i++) host.f(i); return n; };
      export const big = (n) => new Array(n).fill(0);`),
    { engine, memory: { mb: 4 }, limits: { stackKb: 64, hostCalls: 10, parts: 100 }, host: { f() {} }, name: 't' },
  );
  const limited = (run: () => unknown): string => {
    const error = thrownBy(run);
    assert.equal(error.code, 'ERR_IPC_LIMIT');
    return error.message;
  };
  assert.match(
    limited(() => t.sync.bomb()),
    /4 MiB of memory \(memory\.mb\)/,
  );
  assert.match(
    limited(() => t.sync.down(1e6)),
    /64 KiB of stack \(limits\.stackKb\)/,
  );
  assert.equal(t.sync.down(100), 100);
  assert.equal(t.sync.calls(10), 10);
  assert.match(
    limited(() => t.sync.calls(11)),
    /more than 10 calls of the host/,
  );
  assert.equal(t.sync.big(98).length, 98);
  assert.match(
    limited(() => t.sync.big(1000)),
    /more than 100 parts/,
  );
  assert.equal(t.sync.calls(1), 1);
});

systemTest('SBX0140 sandbox: in a worker it has a processor of its own', async (system) => {
  const lines: string[] = [];
  const t = await system.spawn(
    script(`import { x } from 'granted'; export const f = (y) => host.sync1(x + y); export const add = (a, b) => a + b;
      export const g = async (y) => { console.log('g'); return (await host.later(y)) + 1; };
      export const loop = () => { for (;;); };`),
    {
      engine,
      thread: 'worker',
      timeout: 20_000,
      onTimeout: 'kill',
      host: { sync1: (v: number) => v * 10, later: async (v: number) => (await sleep(2), v) },
      modules: (name) => (name === 'granted' ? 'export const x = 1;' : undefined),
      console: (_, text) => void lines.push(text),
    },
  );
  assert.equal(t.kind, 'worker');
  assert.equal(t.sync.f(3), 40);
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(await t.async.g(5), 6);
  assert.deepEqual(lines, ['g']);
  assert.equal((await rejectionOf(t.with({ timeout: 50 }).async.loop())).code, 'ERR_IPC_TIMEOUT');
  assert.equal(await t.async.add(2, 2), 4);
});

systemTest(
  'SBX0141 sandbox: in a worker, what ends it is its last call, and the next one is served',
  async (system) => {
    const text = `let n = 0; export const count = () => ++n; export const parser = () => { eval('['.repeat(1e6)); };
    export const sort = () => { const a = []; a.length = 2 ** 32 - 1; a.sort(); };
    export const late = async () => { await host.later(); const a = []; a.length = 2 ** 32 - 1; a.sort(); };`;
    const t = await system.spawn(script(text), {
      engine,
      thread: 'worker',
      name: 'box',
      restart: 'on-failure',
      limits: { stackKb: 512 },
      timeout: 200,
      host: { later: () => sleep(1) },
    });
    const patient = t.with({ timeout: 20_000 });
    const ends: (() => unknown)[] = [() => patient.sync.parser(), () => patient.async.sort(), () => t.async.late()];
    ends.push(() => Promise.all([patient.async.count(), patient.async.parser()]));
    for (const end of ends) {
      assert.ok(patient.sync.count() > 0);
      const error = await rejectionOf((async () => end())());
      assert.match(error.code, /ERR_IPC_(?:PEER_GONE|TIMEOUT)/);
      assert.match(error.message, /^box\.\w+\(\): /);
      assert.equal(error.task, 'box');
      // Neither of the next calls meets the task that has ended.
      assert.equal(patient.sync.count(), 1);
      assert.equal(await patient.async.count(), 2);
    }
  },
);

systemTest('SBX0142 sandbox: in a worker, its errors say the name that its spawner gave', async (system) => {
  const t = await system.spawn(
    script(`export const flood = () => { for (;;) host.f() }; export const bad = () => [() => 1];
      export const deep = () => deep() + 1;`),
    { engine, thread: 'worker', name: 'box', limits: { hostCalls: 3 }, host: { f() {} } },
  );
  const errors = [() => t.sync.flood(), () => t.sync.bad(), () => t.sync.deep()].map((run) => thrownBy(run));
  assert.match(errors[0].message, /^task 'box' went over its limit: more than 3 calls of the host/);
  assert.match(errors[1].message, /^box\.bad\(\): result\[0\]: a function cannot be sent/);
  assert.match(errors[2].message, /^box\.deep\(\): it went over its limit/);
  for (const { task: name, stack } of errors) {
    assert.equal(name, 'box');
    assert.doesNotMatch(stack, /<ipc task\./);
  }
});

systemTest('SBX0150 sandbox: other agents call it by its name', async (system) => {
  await system.spawn(
    script(`export const add = (a, b) => a + b; export const slow = async (x) => (await host.later(x)) + 1;
      export const fail = () => { throw new RangeError('from inside') };`),
    { engine, name: 'box', timeout: 20_000, host: { later: async (v: number) => (await sleep(2), v) } },
  );
  const worker = await system.spawn(fixture('sandbox-caller.ts'));
  assert.equal(await worker.async.add('box', 1, 2), 3);
  assert.equal(await worker.async.slow('box', 4), 5);
  assert.equal((await rejectionOf(worker.async.fail('box'))).message, 'from inside');
});

systemTest('SBX0160 sandbox: options that do not fit are refused by name', async (system) => {
  const refusedBy = (options: object): string => thrownBy(() => system.spawnSync(plugin, options as never)).message;
  assert.match(refusedBy({ engine: 'v8' }), /engine is 'v8'; it must be 'quickjs'/);
  assert.match(refusedBy({ engine, kind: 'local' }), /not 'local'/);
  assert.match(refusedBy({ engine, memory: { pages: 1 } }), /memory\.pages is no option of a sandbox/);
  assert.match(refusedBy({ engine, memory: { mb: 0 } }), /memory\.mb is 0/);
  assert.match(refusedBy({ engine, limits: { stackKb: 4096 } }), /from 16 to 512/);
  assert.match(refusedBy({ engine, limits: { cpu: 1 } }), /there is no limits\.cpu; the limits are stackKb/);
  assert.match(refusedBy({ engine, thread: 'jspi' }), /no thread: 'jspi'/);
  assert.match(refusedBy({ engine, env: {} }), /a sandbox has no option 'env'/);
  assert.match(refusedBy({ engine, console: 'out' }), /console is out/);
  assert.match(refusedBy({ engine, modules: 5 }), /modules must be/);
  assert.match(refusedBy({ kind: 'worker', modules: {} }), /'modules' is an option of sandboxes/);
  assert.match(refusedBy({ kind: 'worker', memory: { mb: 1 } }), /'memory' is an option/);
});

systemTest('SBX0165 sandbox: Math.random begins elsewhere in each', async (system) => {
  const seen = new Set<number>();
  for (let round = 0; round < 8; round++) {
    const t = await system.spawn(script('export const f = () => Math.random();'), { engine });
    seen.add(t.sync.f() as number).add(t.sync.f() as number);
    await t.kill();
  }
  assert.equal(seen.size, 16);
});

systemTest('SBX0170 sandbox: a context is fresh, whatever an earlier one has left in the instance', async (system) => {
  for (let round = 0; round < 5; round++) {
    const t = await system.spawn(
      script(`export const dirty = () => { const was = [globalThis.left, Array.prototype.left, typeof host.f];
        globalThis.left = Array.prototype.left = new Array(20000).fill('left'); Object.prototype.evil = 1; return was; };`),
      { engine },
    );
    assert.deepEqual(t.sync.dirty(), [undefined, undefined, 'undefined']);
    await t.kill();
  }
});

guarded('SBX0180 sandbox: where the package is missing, the error says what to install', () => {
  const folder = mkdtempSync(join(tmpdir(), 'l3-'));
  try {
    const program = join(folder, 'main.mjs');
    copyFileSync(fileURLToPath(fixture('no-engine.mjs')), program);
    const library = new URL('../../src/index.ts', import.meta.url).href;
    const said = execFileSync(process.execPath, [program, library], { cwd: folder, encoding: 'utf8', timeout: 20_000 });
    assert.match(
      said,
      /^ERR_IPC_SPAWN_FAILED engine 'quickjs' needs the package quickjs-wasi.*npm install quickjs-wasi/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
