/**
 * Scripts that mean harm. Each attack may end its own task and nothing else: what it gives or throws is plain data of
 * this side, a neighbour still answers, kernel memory contradicts none of its invariants, the prototypes of this agent
 * are what they were, and the attacked task answers again (it is restarted where it had to be ended).
 */
import assert from 'node:assert/strict';
import { types } from 'node:util';
import { IpcError } from '../../src/index.ts';
import type { SpawnOptions, Task } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { script } from '../support/script.ts';
import { rejectionOf, systemTest, thrownBy } from './support.ts';

const engine = 'quickjs';

interface Attack {
  readonly title: string;
  /** Text of `attack(…args)`, and of what else the module has. */
  readonly text: string;
  readonly args?: readonly unknown[];
  /** The code of the IpcError it must end in; `thrown`: an error of the script's; otherwise it gives a value. */
  readonly ends?: string | readonly string[];
  readonly message?: RegExp;
  /** Looks at the value. */
  readonly gives?: (value: any) => void;
  readonly options?: SpawnOptions;
  readonly isAsync?: boolean;
  /** What it has left behind may come over a later call, of `haunt`, and be the end of the task. */
  readonly isHaunted?: boolean;
}

const attack = (body: string): string => `export const attack = (...args) => { ${body} };`;
const received: unknown[] = [];
const host = {
  take: (...values: unknown[]) => void received.push(...values),
  give: () => ({ data: [1, { two: 2 }] }),
  throws() {
    throw new RangeError('of the host');
  },
  later: async () => 1,
};

/** Nothing of it is a function, a proxy or of another prototype than one of ours. */
function assertPlain(value: unknown, seen = new Set<unknown>()): void {
  assert.notEqual(typeof value, 'function');
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  assert.ok(!types.isProxy(value));
  const known = [
    Object,
    Array,
    Map,
    Set,
    Date,
    RegExp,
    ArrayBuffer,
    Uint8Array,
    Uint32Array,
    Float64Array,
    Error,
    RangeError,
    TypeError,
  ];
  const prototype = Object.getPrototypeOf(value) as object;
  assert.ok(known.some((kind) => kind.prototype === prototype) || value instanceof Error, 'of a known prototype');
  for (const key of Reflect.ownKeys(value)) {
    const property: PropertyDescriptor = Object.getOwnPropertyDescriptor(value, key)!;
    assert.ok('value' in property, `${String(key)} is data`);
    assertPlain(property.value, seen);
  }
}

const escapes: readonly Attack[] = [
  ...['process', 'require', 'globalThis.process', 'module', 'Buffer', 'WebAssembly', 'fetch', 'Deno', 'std', 'os'].map(
    (name): Attack => ({
      title: `constructor.constructor reaches no ${name}`,
      text: attack(`return ({}).constructor.constructor('return typeof ${name}')()`),
      gives: (value) => assert.equal(value, 'undefined'),
    }),
  ),
  {
    title: 'the constructor of a host function is its own realm',
    text: attack(`const f = host.give.constructor('return this');
      return [f() === globalThis, host.give() instanceof Object, Object.getPrototypeOf(host.give) === Function.prototype]`),
    gives: (value) => assert.deepEqual(value, [true, true, true]),
  },
  {
    title: 'callers of a function cannot be walked to',
    text: attack(
      `try { return [attack.caller, arguments.callee.caller, host.give.caller, host.give.arguments] } catch (e) { return e.name }`,
    ),
    gives: (value) => assert.ok(value === 'ReferenceError' || value === 'TypeError' || Array.isArray(value)),
  },
  {
    title: 'the error of a host function leads nowhere',
    text: attack(`try { host.throws() } catch (e) {
      return [e instanceof RangeError, e.constructor.constructor('return typeof process')(), /[/\\\\]|node:/.test(e.stack)] }`),
    gives: (value) => assert.deepEqual(value, [true, 'undefined', false]),
  },
  {
    title: 'Error.prepareStackTrace gets no frames of the host',
    text: attack(`let seen = []; Error.prepareStackTrace = (e, frames) => { seen.push(typeof frames); return 'x' };
      try { host.throws() } catch (e) { void e.stack } try { null.x } catch (e) { void e.stack } return JSON.stringify(seen)`),
  },
  {
    title: 'import() of what was not granted',
    text: `export const attack = async () => { for (const name of ['fs', 'node:fs', '../x.js', '/etc/passwd', 'file:///etc/passwd', 'std', 'os', 'data:text/javascript,1'])
      try { await import(name); return name } catch {} return 'nothing' };`,
    gives: (value) => assert.equal(value, 'nothing'),
  },
  {
    title: 'eval and Function stay inside',
    text: attack(
      `return [eval('typeof process'), (0, eval)('this === globalThis'), Function('return typeof require')()]`,
    ),
    gives: (value) => assert.deepEqual(value, ['undefined', true, 'undefined']),
  },
  {
    title: 'the host object cannot be changed for the next call',
    text: attack(
      `try { host.take = () => 1 } catch {} try { host.__proto__.x = 1 } catch {} try { delete host.take } catch {} return typeof host.take`,
    ),
    gives: (value) => assert.equal(value, 'function'),
  },
];

const values: readonly Attack[] = [
  {
    title: '__proto__ in a result becomes an own property',
    text: attack(
      `return JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": 1}}}')`,
    ),
    gives(value) {
      assert.ok(Object.hasOwn(value, '__proto__'));
      assert.equal(value.polluted, undefined);
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
    },
  },
  {
    title: '__proto__ in arguments of a host function',
    text: attack(`host.take(JSON.parse('{"__proto__": {"polluted": true}}'), Object.create({ inherited: 1 }))`),
  },
  {
    title: 'polluted prototypes inside do not change what arguments become',
    text: attack(`Object.defineProperty(Object.prototype, 'a', { set() { throw 1 }, get() { return 'evil' } });
      Object.defineProperty(Array.prototype, 0, { set() { throw 2 }, get() { return 'evil' } });
      Array.prototype[Symbol.iterator] = function* () { yield 'evil' }; Map.prototype.get = Map.prototype.set = () => 'evil';
      Array.isArray = () => true; Object.keys = () => ['evil']; Reflect.apply = () => 'evil'; Function.prototype.call = Function.prototype.apply = () => 'evil';
      JSON.stringify = () => 'evil'; Object.setPrototypeOf = Object.defineProperty = () => { throw 3 };
      globalThis.Map = globalThis.Set = globalThis.Object = globalThis.Reflect = null; String.prototype.slice = () => 'evil';
      console.log({}); host.take([1], { a: 1 }); return { got: host.give(), list: [1, [2]], map: 5 }`),
    options: { console: 'ignore' },
    gives: (value) => assert.deepEqual(value, { got: { data: [1, { two: 2 }] }, list: [1, [2]], map: 5 }),
  },
  {
    title: 'a result with throwing getters',
    text: attack(`return { get a() { throw new TypeError('got you') } }`),
    ends: 'thrown',
    message: /got you/,
  },
  {
    title: 'a getter that never ends',
    text: attack(`return { get a() { for (;;); } }`),
    ends: 'ERR_IPC_TIMEOUT',
  },
  {
    title: 'a getter that makes ever more',
    text: attack(`const make = () => ({ get next() { return make() } }); return make()`),
    ends: 'ERR_IPC_LIMIT',
  },
  {
    title: 'proxies as results',
    text: attack(
      `return [new Proxy({ a: 1 }, {}), new Proxy([1, 2], {}), new Proxy({}, { ownKeys: () => ['x'], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }), get: () => 'trap' })]`,
    ),
  },
  {
    title: 'a proxy that lies about its length',
    text: attack(
      `return new Proxy([], { get: (t, k) => k === 'length' ? 4294967295 : 1, ownKeys: () => ['length'], getOwnPropertyDescriptor: (t, k) => Reflect.getOwnPropertyDescriptor(t, k) })`,
    ),
  },
  {
    title: 'a proxy whose every trap throws, and a revoked one',
    text: attack(`const r = Proxy.revocable({}, {}); r.revoke(); try { host.take(r.proxy) } catch {}
      return new Proxy({}, new Proxy({}, { get() { throw new Error('trap') } }))`),
    ends: 'thrown',
  },
  {
    title: 'thenables',
    text: attack(`return { then(resolve) { resolve('evil') } }`),
    ends: 'ERR_IPC_NOT_CLONEABLE',
    message: /result\.then: a function cannot be sent/,
    isAsync: true,
  },
  {
    title: 'a promise of a thenable that never settles anything',
    text: attack(`return Promise.resolve({ then() { for (;;); } })`),
    ends: 'ERR_IPC_TIMEOUT',
    isAsync: true,
  },
  {
    title: 'a result that comes later and takes for ever to read',
    text: `export const attack = async () => { await host.later(); return { get a() { for (;;); } } };`,
    ends: 'ERR_IPC_TIMEOUT',
    isAsync: true,
  },
  {
    title: 'a promise whose then was replaced',
    text: attack(
      `Promise.prototype.then = () => { throw 1 }; const p = Promise.resolve(7); p.then = 5; p.constructor = null; return p`,
    ),
    gives: (value) => assert.equal(value, 7),
  },
  {
    title: 'toJSON, valueOf, toString and Symbol.toPrimitive are not asked by this side',
    text: attack(`const evil = () => { for (;;); }; return { a: { n: 1 }, list: [Object.assign(Object.create(null), { ok: 1 })],
      toJSON: 'data', valueOf: 1, toString: 2, [Symbol.toPrimitive]: evil, [Symbol.toStringTag]: 'Promise' }`),
    gives: (value) => assert.equal(value.toJSON, 'data'),
  },
  {
    title: 'an error with hostile getters',
    text: attack(`throw Object.defineProperties(new Error('x'), { stack: { get() { throw 1 } }, message: { get() { return { toString() { for (;;); } } } },
      name: { get() { return Symbol('n') } }, cause: { get() { return this } }, code: { enumerable: true, get() { throw 2 } } })`),
    ends: 'thrown',
  },
  {
    title: 'an error whose stack is a story about the host',
    text: attack(
      `const e = new Error('m'); Object.defineProperty(e, 'stack', { value: 'Error: m\\n    at evil (/etc/passwd:1:1)\\n\\u001b[2Jnot a frame' + 'y'.repeat(1e6) }); throw e`,
    ),
    ends: 'thrown',
  },
  {
    title: 'an error with a cyclic cause and five hundred properties',
    text: attack(`const e = new Error('m'); e.cause = e; for (let i = 0; i < 500; i++) e['p' + i] = { e }; throw e`),
    ends: 'thrown',
  },
  {
    title: 'thrown things that are no errors',
    text: attack(`throw new Proxy(function () {}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })`),
    ends: 'thrown',
  },
  {
    title: 'a cyclic result',
    text: attack(`const a = { list: [] }; a.self = a; a.list.push(a, new Map([[a, a]])); return a`),
    gives: (value) => assert.equal(value.self.list[0], value),
  },
  {
    title: 'a result nested a hundred thousand deep',
    text: attack(`let x = null; for (let i = 0; i < 1e5; i++) x = { x }; return x`),
    ends: 'ERR_IPC_LIMIT',
  },
  {
    title: 'a small value that stands for a large one',
    text: attack(`const s = 'x'.repeat(1 << 20); const list = new Array(50000).fill(s); return list`),
    gives: (value) => assert.equal(value.length, 50_000),
  },
  {
    title: 'an array of four billion holes',
    text: attack(`const a = [1]; a.length = 4294967295; a.extra = 2; return a`),
    gives: (value) => assert.deepEqual([value.length, value[0], value.extra], [4_294_967_295, 1, 2]),
  },
  {
    title: 'views whose buffers are gone or resized',
    text: attack(`const b = new ArrayBuffer(64, { maxByteLength: 128 }); const v = new Uint32Array(b, 4); b.resize(2);
      const c = new ArrayBuffer(8); const w = new Float64Array(c); if (c.transfer) c.transfer(); return [v, w]`),
    ends: ['ERR_IPC_NOT_CLONEABLE', 'thrown', ''],
  },
  {
    title: 'subclasses, species and lying tags',
    text: attack(`class M extends Map { get size() { return 1e9 } forEach() { for (;;); } get [Symbol.toStringTag]() { throw 1 } }
      class A extends Array { static get [Symbol.species]() { throw 2 } } class U extends Uint8Array { get length() { return 1e9 } get buffer() { return 5 } }
      class D extends Date { valueOf() { throw 3 } getTime() { throw 4 } } return [new M([[1, 2]]), A.from([1]), new U(3), new D(5), { [Symbol.toStringTag]: 'Uint8Array', length: 1e9 }]`),
    gives(value) {
      assert.deepEqual(value.slice(0, 2), [new Map([[1, 2]]), [1]]);
      assert.equal(value[2].length, 3);
      assert.equal(value[3].getTime(), 5);
    },
  },
  {
    title: 'a regular expression that is a bomb here stays unexploded',
    text: attack(`return /^(a+)+$/`),
  },
  {
    title: 'host functions called with hostile values',
    text: attack(`const bad = [() => 1, Symbol('s'), new Proxy(function () {}, {}), Promise.resolve(), { get x() { throw new Error('g') } }, new WeakMap(), function* () {}, globalThis, host, console];
      let refused = 0; for (const value of bad) try { host.take(value) } catch { refused++ } return refused`),
    gives: (value) => assert.ok(value >= 8, String(value)),
  },
];

/** Ways to have the host hold, or do, what the guest's own limits do not count. */
const levers: readonly Attack[] = [
  {
    title: 'strings that share one memory in there',
    text: attack(`const s = 'x'.repeat(4e6); return Array.from({ length: 60 }, (_, i) => s.slice(i))`),
    ends: 'ERR_IPC_LIMIT',
    message: /together longer than its memory/,
  },
  {
    title: 'one long string as many arguments of a host function',
    text: attack(
      `const s = 'x'.repeat(4e6); try { host.take(...Array(60).fill(s)) } catch (e) { return [e.code, host.take(s)] }`,
    ),
    gives(value) {
      assert.deepEqual(value, ['ERR_IPC_LIMIT', undefined]);
      assert.equal(received.length, 1);
    },
  },
  {
    title: 'one large object as many arguments of a host function',
    text: attack(
      `const o = Array.from({ length: 3e4 }, () => 1); try { host.take(...Array(60).fill(o)) } catch (e) { return e.code }`,
    ),
    options: { limits: { parts: 100_000 } },
    gives: (value) => assert.equal(value, 'ERR_IPC_LIMIT'),
  },
  {
    title: 'a thrown error of strings that share one memory',
    text: attack(
      `const s = 'x'.repeat(4e6); const e = new Error(s); for (let i = 0; i < 40; i++) e['k' + i] = s.slice(i); throw e`,
    ),
    ends: 'thrown',
  },
  {
    title: 'a rope that would not fit into its memory',
    text: attack(`let s = 'x'.repeat(1e5); for (let i = 0; i < 10; i++) s += s; globalThis.kept = 1; return s`),
    ends: 'ERR_IPC_LIMIT',
  },
  {
    title: 'a rope for a host function, and for the console',
    text: attack(`let s = 'x'.repeat(1e5); for (let i = 0; i < 10; i++) s += s; let n = 0;
      for (const f of [host.take, console.log]) try { f(s) } catch { n++ } return n`),
    ends: ['', 'ERR_IPC_LIMIT'],
  },
  {
    title: 'names of modules of a megabyte',
    text: `export const attack = async () => { let n = 0; for (let i = 0; i < 10; i++) try { await import('x'.repeat(1e6) + i) } catch (e) { n += /4096 characters/.test(e.message) } return n };`,
    gives: (value) => assert.equal(value, 10),
  },
  {
    title: 'a flood of imports, caught',
    text: `export const attack = async () => { for (let i = 0; ; i++) try { await import('m' + i) } catch {} };`,
    options: { limits: { hostCalls: 100 } },
    ends: 'ERR_IPC_LIMIT',
    isAsync: true,
  },
  {
    title: 'proxied arrays that lie about their length',
    text: attack(`const out = []; for (const length of [-1, NaN, 'x', {}, null, undefined, 2 ** 53, Symbol.iterator, 2 ** 32])
      try { host.take(new Proxy([1, 2], { get: (t, k) => k === 'length' ? length : t[k] })); out.push('taken') } catch (e) { out.push(e.code) } return out`),
    gives: (value) => assert.deepEqual(new Set(value), new Set(['ERR_IPC_NOT_CLONEABLE', undefined])),
  },
  {
    title: 'proxies whose traps never end',
    text: attack(`return new Proxy({}, { ownKeys() { for (;;); } })`),
    ends: 'ERR_IPC_TIMEOUT',
  },
  {
    title: 'getters that call the host while the host reads',
    text: attack(
      `const o = { get a() { return host.echo({ get b() { return host.echo({ c: [3] }) } }) }, z: 's' }; return [o, o.a, host.echo(o, 1)]`,
    ),
    options: { host: { echo: (value: unknown) => value } },
    gives: (value) =>
      assert.deepEqual(value, [{ a: { b: { c: [3] } }, z: 's' }, { b: { c: [3] } }, { a: { b: { c: [3] } }, z: 's' }]),
  },
  {
    title: 'buffers that go while they are read',
    text: attack(`const u = new Uint8Array(1e5).fill(7); const b = new ArrayBuffer(1e5, { maxByteLength: 2e5 });
      return [u, new Uint8Array(b), { get x() { u.buffer.transfer?.(); b.resize(1); return 1 } }]`),
    ends: ['', 'ERR_IPC_NOT_CLONEABLE', 'thrown'],
  },
  {
    title: 'thenables, and promises of a kind of its own',
    text: `class P extends Promise { then(...a) { return super.then(...a) } }
      Object.defineProperty(P.prototype, 'constructor', { get: () => Object });
      export const attack = async () => ({ then: 5, p: await new P((r) => r({ then: null })), c: await { then(r) { r(7) } } });`,
    gives: (value) => assert.equal(JSON.stringify(value), '{"then":5,"p":{"then":null},"c":7}'),
  },
  {
    title: 'hooks of stack traces, and getters of errors',
    text: attack(`Error.stackTraceLimit = Infinity; Error.prepareStackTrace = () => 'y'.repeat(1e6); const e = new RangeError('e');
      for (const key of ['message', 'cause', 'code']) Object.defineProperty(e, key, { enumerable: true, get() { throw key } });
      Object.defineProperty(e, 'name', { get() { host.take(1); return 'n' } }); throw e`),
    ends: 'thrown',
  },
];

const bombs: readonly Attack[] = [
  ['an endless loop', 'for (;;);'],
  ['a loop that catches its own interruption', 'for (;;) { try { for (;;); } catch {} finally { for (;;); } }'],
  ['a generator that never ends', 'function* g() { for (;;) yield 1; } for (const x of g()); '],
  [
    'an iterator that never ends, spread',
    'return [...{ [Symbol.iterator]: () => ({ next: () => ({ value: undefined }) }) }].length',
  ],
  ['a regular-expression bomb', "return /^(a+)+$/.test('a'.repeat(50) + 'b')"],
  ['a sort of four billion holes', 'const a = []; a.length = 2 ** 32 - 1; a.sort()'],
  ['a join of four billion holes', 'const a = []; a.length = 2 ** 32 - 1; return a.join()'],
  ['indexOf over a length of 2 ** 53', 'return [].indexOf.call({ length: 2 ** 53 - 1 }, 1)'],
  ['unshift of an array-like without an end', '[].unshift.call({ length: 2 ** 40 }, 1)'],
  ['the digits of a large bigint', 'return (1n << 1000000n).toString().length'],
  ['products of large bigints', 'let x = 3n ** 500000n; for (;;) x = (x * x) % (1n << 900000n)'],
  [
    'a search for a long string in a long string',
    "const s = 'a'.repeat(8e6); for (;;) s.indexOf('a'.repeat(4e6) + 'b')",
  ],
  ['a comparison function that never ends', '[3, 2, 1].sort(() => { for (;;); })'],
  ['JSON.parse with a reviver that never ends', "JSON.parse('[1,2]', () => { for (;;); })"],
  ['a toString that never ends', "'' + { toString() { for (;;); } }"],
].map(([title, body]): Attack => ({ title: title!, text: attack(body!), ends: ['ERR_IPC_TIMEOUT', 'ERR_IPC_LIMIT'] }));

const floods: readonly Attack[] = [
  { title: 'an infinite recursion', text: attack('const f = () => f() + 1; f()'), ends: 'ERR_IPC_LIMIT' },
  {
    title: 'a recursion that catches its own overflow',
    text: attack('const f = () => { try { f() } finally { f() } }; f()'),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_TIMEOUT'],
  },
  {
    title: 'a parser driven into the ground',
    text: attack("eval('['.repeat(1e6))"),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_PEER_GONE'],
  },
  {
    title: 'JSON nested a million deep',
    text: attack("JSON.parse('['.repeat(1e6))"),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_PEER_GONE'],
  },
  {
    title: 'a chain of a hundred thousand proxies',
    text: attack('let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x'),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_TIMEOUT', 'ERR_IPC_PEER_GONE'],
  },
  {
    title: 'bound functions bound a hundred thousand times',
    text: attack('let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(0); return f()'),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_TIMEOUT', 'ERR_IPC_PEER_GONE'],
  },
  {
    title: 'a memory bomb of arrays',
    text: attack('const a = []; for (;;) a.push(new Array(10000).fill(a.length))'),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_TIMEOUT'],
  },
  {
    title: 'a memory bomb that catches that there is no more',
    text: attack('const a = []; for (;;) try { for (;;) a.push(new Uint8Array(1 << 20)) } catch {}'),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_TIMEOUT'],
  },
  {
    title: 'strings doubled until there is no room',
    text: attack("let s = 'x'; for (;;) s += s"),
    ends: ['ERR_IPC_LIMIT', 'thrown'],
  },
  {
    title: 'a string as long as can be',
    text: attack("return 'x'.repeat(2 ** 30)"),
    ends: ['ERR_IPC_LIMIT', 'thrown'],
  },
  { title: 'a huge buffer', text: attack('return new ArrayBuffer(2 ** 31)'), ends: ['ERR_IPC_LIMIT', 'thrown'] },
  {
    title: 'a flood of promises',
    text: attack('const f = () => Promise.resolve().then(f).then(f); f(); return 1'),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_TIMEOUT'],
  },
  {
    title: 'a flood of promises of an asynchronous call',
    text: 'export const attack = async () => { for (;;) await null; };',
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_TIMEOUT'],
    isAsync: true,
  },
  {
    title: 'a flood of microtasks',
    text: attack('const f = () => queueMicrotask(f); f(); return 1'),
    ends: ['ERR_IPC_LIMIT', 'ERR_IPC_TIMEOUT'],
  },
  {
    title: 'a flood of output',
    text: attack("for (;;) console.log('x'.repeat(1000))"),
    options: { console: 'ignore' },
    ends: 'ERR_IPC_LIMIT',
  },
  {
    title: 'one line of output that is too long, again and again',
    text: attack("for (;;) try { console.error('x'.repeat(1e6)) } catch {}"),
    options: { console: 'ignore' },
    ends: 'ERR_IPC_LIMIT',
  },
  {
    title: 'a flood of host calls, caught',
    text: attack('for (;;) try { host.give() } catch {}'),
    options: { limits: { hostCalls: 100 } },
    ends: 'ERR_IPC_LIMIT',
  },
  {
    title: 'a flood of asynchronous host calls',
    text: 'export const attack = async () => { const all = []; for (;;) all.push(host.later()); };',
    options: { limits: { hostCalls: 200 } },
    ends: 'ERR_IPC_LIMIT',
    isAsync: true,
  },
  {
    title: 'Atomics.wait and shared memory',
    text: attack(
      `if (typeof Atomics === 'undefined') return 'none'; Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)`,
    ),
    ends: ['', 'thrown', 'ERR_IPC_TIMEOUT'],
  },
  {
    title: 'finalizers that come back in a later call',
    text: `${attack(`let r = new FinalizationRegistry(() => { for (;;); }); globalThis.r = r; for (let i = 0; i < 1000; i++) r.register({}, i); return 1`)}
      export const haunt = () => { let x = { r: null }; x.r = x; globalThis.r?.register(x, 1); x = null; const a = []; for (let i = 0; i < 3e5; i++) a.push([i]); return 2; };`,
    isHaunted: true,
    ends: ['', 'ERR_IPC_TIMEOUT'],
  },
];

/** Of attacks that run until they are stopped; the others have time, whatever else the machine does. */
const TIMEOUT_ms = 60;
const NO_HURRY_ms = 20_000;

function look(found: Attack, outcome: { value?: unknown; error?: any }): void {
  const { ends, message, gives } = found;
  const said = outcome.error instanceof IpcError ? outcome.error.code : 'error' in outcome ? 'thrown' : '';
  const expected = ends === undefined ? [''] : typeof ends === 'string' ? [ends] : ends;
  assert.ok(expected.includes(said), `it ended in '${said}': ${String(outcome.error)}`);
  if (message !== undefined) assert.match(outcome.error.message, message);
  if (said === '') {
    assertPlain(outcome.value);
    gives?.(outcome.value);
  } else if (said === 'thrown' && typeof outcome.error === 'object') {
    for (const value of Object.values(outcome.error as object)) assertPlain(value);
  }
  if (outcome.error instanceof Error) {
    assert.ok(typeof outcome.error.stack === 'string' && outcome.error.stack.length < 100_000);
    assert.equal(typeof outcome.error.message, 'string');
  }
}

const before = [Object.prototype, Array.prototype, Function.prototype].map((one) => Reflect.ownKeys(one).length);

for (const found of [...escapes, ...values, ...levers, ...bombs, ...floods]) {
  systemTest(`SBX1000 sandbox, hostile: ${found.title}`, async (system) => {
    received.length = 0;
    const isTimed = String(found.ends).includes('ERR_IPC_TIMEOUT');
    const neighbour = await system.spawn(script('export const add = (a, b) => a + b;'), { engine });
    const attacker = await system.spawn(script(`${found.text} export const ok = () => 'ok';`), {
      engine,
      host,
      timeout: isTimed && found.isAsync === true ? TIMEOUT_ms : NO_HURRY_ms,
      restart: 'on-failure',
      memory: { mb: 32 },
      ...found.options,
    });
    const args = found.args ?? [];
    const timed = attacker.with({ timeout: isTimed ? TIMEOUT_ms : NO_HURRY_ms });
    const outcome: { value?: unknown; error?: any } = {};
    try {
      outcome.value = found.isAsync === true ? await timed.async.attack(...args) : timed.sync.attack(...args);
    } catch (error) {
      outcome.error = error;
    }
    look(found, outcome);
    for (const value of received) assertPlain(value);
    assert.deepEqual(verify(), []);
    assert.equal(neighbour.sync.add(1, 2), 3);
    const { ok } = attacker.with({ timeout: NO_HURRY_ms }).sync;
    if (found.isHaunted === true)
      await timed.async.haunt().catch((error: unknown) => assert.ok(error instanceof IpcError));
    assert.equal(ok(), 'ok');
    const after = [Object.prototype, Array.prototype, Function.prototype].map((one) => Reflect.ownKeys(one).length);
    assert.deepEqual(after, before);
  });
}

systemTest('SBX1010 sandbox, hostile: a host function that calls the task again is refused', async (system) => {
  let attacker: Task | null = null;
  const errors: unknown[] = [];
  const again = (): number => {
    const error = thrownBy(() => attacker!.sync.attack());
    errors.push(error.code);
    throw error;
  };
  attacker = await system.spawn(
    script('export const attack = () => { try { return host.again() } catch (e) { return e.code } };'),
    {
      engine,
      host: { again },
    },
  );
  assert.equal(attacker.sync.attack(), 'ERR_IPC_DEADLOCK');
  assert.deepEqual(errors, ['ERR_IPC_DEADLOCK']);
  assert.equal(await attacker.async.attack(), 'ERR_IPC_DEADLOCK');
  assert.deepEqual(verify(), []);
});

systemTest(
  'SBX1020 sandbox, hostile: a task that is killed in the middle of its call goes no further',
  async (system) => {
    let after = 0;
    const attacker: Task = await system.spawn(
      script(`export const attack = () => { try { host.end() } catch {} for (;;) try { host.after() } catch {} };
      export const quiet = () => { host.end(); return 1; };`),
      { engine, host: { end: () => void attacker.kill(), after: () => after++ } },
    );
    assert.equal(thrownBy(() => attacker.sync.attack()).code, 'ERR_IPC_PEER_GONE');
    assert.equal(after, 0);
    assert.deepEqual(await attacker.exited, { code: 1, reason: 'killed' });
    assert.deepEqual(verify(), []);
    const other = await system.spawn(script('export const f = () => 1;'), { engine });
    assert.equal(other.sync.f(), 1);
  },
);

systemTest(
  'SBX1030 sandbox, hostile: a chief that shuts down, spawns and calls others meanwhile is obeyed',
  async (system) => {
    const other = system.spawnSync(script('export const f = (x) => x + 1;'), { engine });
    const t = await system.spawn(script('export const f = () => host.work();'), {
      engine,
      host: {
        work() {
          const fresh = system.spawnSync(script('export const g = () => host.deep();'), {
            engine,
            host: { deep: () => other.sync.f(1) },
          });
          const value = fresh.sync.g();
          void fresh.kill();
          return value;
        },
      },
    });
    for (let round = 0; round < 3; round++) assert.equal(t.sync.f(), 2);
    assert.deepEqual(verify(), []);
  },
);

systemTest('SBX1040 sandbox, hostile: calls from where the stack has no room end their callee only', async (system) => {
  const neighbour = await system.spawn(script('export const add = (a, b) => a + b;'), { engine });
  const attacker = await system.spawn(
    script('export const f = (x) => host.up(x); export const add = (a, b) => a + b;'),
    {
      engine,
      restart: 'always',
      host: { up: (x: number): number => x },
    },
  );
  const down = (run: () => void, found: Set<string>): void => {
    try {
      run();
    } catch (error) {
      found.add((error as IpcError).code ?? (error as Error).name);
    }
    down(run, found);
  };
  const found = new Set<string>();
  assert.throws(() => down(() => void attacker.sync.add(1, 2), found), RangeError);
  await new Promise((resolve) => setImmediate(resolve));
  for (const name of found) assert.ok(['ERR_IPC_PEER_GONE', 'ERR_IPC_LIMIT', 'RangeError'].includes(name), name);
  assert.equal(neighbour.sync.add(1, 2), 3);
  assert.deepEqual(verify(), []);
});

systemTest('SBX1050 sandbox, hostile: a task that ends again and again is given up', async (system) => {
  const t = await system.spawn(script("export const attack = () => { eval('['.repeat(1e6)) };"), {
    engine,
    restart: 'on-failure',
    limits: { stackKb: 512 },
  });
  const reasons = new Set<string>();
  for (let round = 0; round < 8; round++) reasons.add(thrownBy(() => t.sync.attack()).code);
  assert.deepEqual([...reasons], ['ERR_IPC_PEER_GONE']);
  assert.equal(t.alive, false);
  assert.match((await t.exited).reason, /stack overflow/);
});

systemTest('SBX1060 sandbox, hostile: promises of the host that settle late find nobody', async (system) => {
  let settle: (value: unknown) => void = () => {};
  const late = (): Promise<unknown> => new Promise((resolve) => (settle = resolve));
  const t = await system.spawn(script('export const f = async () => { await host.late(); for (;;); };'), {
    engine,
    host: { late },
    timeout: 30,
    restart: 'on-failure',
  });
  const first = t.async.f();
  settle(1);
  assert.equal((await rejectionOf(first)).code, 'ERR_IPC_TIMEOUT');
  const second = t.async.f();
  await t.kill();
  settle(2);
  assert.equal((await rejectionOf(second)).code, 'ERR_IPC_PEER_GONE');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(verify(), []);
});

systemTest('SBX1070 sandbox, hostile: promises that settle at once leave timers their turns', async (system) => {
  const t = await system.spawn(
    script(`export const rounds = async (n) => { for (let i = 0; i < n; i++) await host.later(); return n; };
      export const leave = () => { (async () => { for (;;) await host.later(); })(); return 1; };`),
    { engine, host },
  );
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  assert.equal(await t.async.rounds(5000), 5000);
  assert.ok(turns > 0);
  // Nobody waits for these: they keep no timer from ending the task.
  assert.equal(t.sync.leave(), 1);
  const before = turns;
  while (turns < before + 3) await new Promise((resolve) => setTimeout(resolve, 1));
  clearInterval(timer);
  await t.kill();
  assert.deepEqual(verify(), []);
});

systemTest(
  'SBX1080 sandbox, hostile: a ring of calls through several tasks is refused where it closes',
  async (system) => {
    const ring: Task[] = [];
    const text = script('export const f = (n) => { try { return host.next(n) } catch (e) { return e.code } };');
    for (let i = 0; i < 3; i++) {
      ring.push(await system.spawn(text, { engine, host: { next: (n: number) => ring[(i + 1) % 3]!.sync.f(n) } }));
    }
    for (const t of ring) assert.equal(t.sync.f(1), 'ERR_IPC_DEADLOCK');
    assert.deepEqual(verify(), []);
  },
);

systemTest('SBX1090 sandbox, hostile: a task that is killed while its values are read', async (system) => {
  for (const body of [
    'return { get x() { host.end(); return 1 }, y: 2 }',
    'host.take({ get x() { host.end(); return 1 } })',
  ]) {
    const taken: unknown[] = [];
    const end = (): void => void attacker.kill();
    const attacker: Task = await system.spawn(script(attack(body)), {
      engine,
      host: { end, take: (value) => void taken.push(value) },
    });
    assert.equal(thrownBy(() => attacker.sync.attack()).code, 'ERR_IPC_PEER_GONE');
    assert.deepEqual(taken, []);
    assert.deepEqual(verify(), []);
  }
});

systemTest('SBX1100 sandbox, hostile: the time of an upcall is that of the call', async (system) => {
  const inner = await system.spawn(script('export const loop = () => { for (;;); };'), { engine, timeout: 40 });
  const outer = await system.spawn(
    script(`export const attack = () => { for (;;) try { host.inner() } catch {} }; export const ok = () => 1;`),
    { engine, timeout: 100, host: { inner: () => inner.sync.loop() } },
  );
  assert.equal(thrownBy(() => outer.sync.attack()).code, 'ERR_IPC_TIMEOUT');
  assert.equal(outer.with({ timeout: NO_HURRY_ms }).sync.ok(), 1);
  assert.equal(inner.alive && outer.alive, true);
});
