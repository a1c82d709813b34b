/**
 * What the compiler says of `.sync` and `.async` calls. Nothing here runs: calls stand in functions that nobody calls,
 * and their types are compared by `Expect<Equal<…>>`. A line under `@ts-expect-error` must be refused.
 */
import type { Async, AsyncFunction, Stubs, Sync, SyncFunction, Task } from '../../src/rpc/types.ts';
import type { Equal, Expect, Not } from './equal.test-d.ts';
import type * as functions from './module.test-d.ts';

type Module = typeof functions;
type S = Sync<Module>;
type A = Async<Module>;

/** Collected so that an unused type is no complaint. */
export type Kept = [
  // What needs no change keeps the function's own type.
  Expect<Equal<S['add'], Module['add']>>,
  Expect<Equal<S['identity'], Module['identity']>>,
  Expect<Equal<S['first'], Module['first']>>,
  Expect<Equal<S['format'], Module['format']>>,
  Expect<Equal<S['isText'], Module['isText']>>,
  Expect<Equal<S['visit'], Module['visit']>>,
  Expect<Equal<S['compile'], Module['compile']>>,
  Expect<Equal<S['arrow'], Module['arrow']>>,
  Expect<Equal<S['fail'], Module['fail']>>,
  Expect<Equal<S['anything'], Module['anything']>>,
  Expect<Equal<A['slow'], Module['slow']>>,
  Expect<Equal<A['identityAsync'], Module['identityAsync']>>,
  Expect<Equal<A['load'], Module['load']>>,
];

export type Rebuilt = [
  Expect<Equal<A['add'], (a: number, b: number) => Promise<number>>>,
  Expect<Equal<S['slow'], (ms: number) => string>>,
  Expect<Equal<S['perhaps'], (flag: boolean) => number>>,
  Expect<Equal<A['perhaps'], (flag: boolean) => Promise<number>>>,
  Expect<Equal<A['greet'], (name: string, greeting?: string, ...rest: number[]) => Promise<string>>>,
  Expect<Equal<A['parse'], (text: string) => Promise<unknown>>>,
  Expect<Equal<A['anything'], (x: any) => Promise<any>>>,
  Expect<Equal<A['arrow'], (x: bigint) => Promise<bigint>>>,
  Expect<Equal<A['fail'], () => Promise<never>>>,
  Expect<Equal<A['bytes'], (x: Uint8Array, at: Date, m: Map<string, number>) => Promise<Uint8Array>>>,
  // `this` does not travel.
  Expect<Equal<S['area'], (side: number) => number>>,
  Expect<Equal<A['area'], (side: number) => Promise<number>>>,
  // The default export.
  Expect<Equal<S['default'], (x: 1 | 2) => boolean>>,
  Expect<Equal<A['default'], (x: 1 | 2) => Promise<boolean>>>,
  // Callbacks.
  Expect<
    Equal<A['visit'], (directory: string, accept: (file: string) => boolean | Promise<boolean>) => Promise<number>>
  >,
  Expect<Equal<S['visitAsync'], (directory: string, accept: (file: string) => boolean) => number>>,
  Expect<Equal<A['each'], (f: (x: number) => void) => Promise<void>>>,
  // Properties of a function neither travel nor make it generic.
  Expect<Equal<SyncFunction<{ (x: number): Promise<{ y: number }>; z: number }>, (x: number) => { y: number }>>,
  // A function of type any stays callable.
  Expect<Equal<SyncFunction<any>, (...args: any[]) => any>>,
  Expect<Equal<AsyncFunction<any>, (...args: any[]) => Promise<any>>>,
];

export type Names = [
  Expect<Equal<keyof S, keyof A>>,
  Expect<Equal<Extract<keyof S, 'version' | 'table' | 'Adder' | 'Shape'>, never>>,
  Expect<Equal<keyof Sync<{ then(): void; f(): void; constructor: () => void; n: 1; x: never }>, 'f'>>,
  Expect<Equal<keyof Sync<{ maybe: (() => void) | undefined; f(): void }>, 'f'>>,
  Expect<Equal<Stubs['sync'], any>>,
  Expect<Equal<Stubs['async'], any>>,
  Expect<Not<Equal<S, any>>>,
  Expect<Equal<Stubs<Module>['sync'], S>>,
];

declare const t: Task<Module>;
declare const user: { name: string; age: number };

/** The type of a value, so that a call can stand in an assertion. */
declare function typeOf<T>(x: T): { is<U>(same: Equal<T, U>): void };

export function simpleCalls(): void {
  typeOf(t.sync.add(1, 2)).is<number>(true);
  typeOf(t.async.add(1, 2)).is<Promise<number>>(true);
  typeOf(t.sync.slow(1)).is<string>(true);
  typeOf(t.async.slow(1)).is<Promise<string>>(true);
  typeOf(t.sync.greet('x')).is<string>(true);
  typeOf(t.async.greet('x', 'y', 1, 2)).is<Promise<string>>(true);
  typeOf(t.sync.default(1)).is<boolean>(true);
  const { add } = t.sync;
  typeOf(add(1, 2)).is<number>(true);
  // @ts-expect-error an argument of the wrong type
  t.sync.add('1', 2);
  // @ts-expect-error a missing argument
  void t.async.add(1);
  // @ts-expect-error an argument too many
  t.sync.slow(1, 2);
  // @ts-expect-error a rest argument of the wrong type
  void t.async.greet('x', 'y', 'z');
  // @ts-expect-error a typo
  t.sync.addd(1, 2);
  // @ts-expect-error a constant
  void t.sync.version;
  // @ts-expect-error a class
  new t.sync.Adder();
  // @ts-expect-error a class, through the other stub
  void t.async.Shape;
  // @ts-expect-error an export is not to be replaced
  t.sync.add = (a: number, b: number) => a + b;
}

export async function genericCalls(): Promise<void> {
  typeOf(t.sync.identity(user)).is<typeof user>(true);
  typeOf(await t.async.identityAsync(user)).is<typeof user>(true);
  typeOf(await t.async.load<Date>('k')).is<Date>(true);
  // Rebuilt: the result is found again from the arguments.
  typeOf(t.sync.identityAsync(user)).is<typeof user>(true);
  typeOf(t.async.identity(user)).is<Promise<typeof user>>(true);
  typeOf(t.async.identity(5)).is<Promise<number>>(true);
  typeOf(t.sync.perhapsIdentity(user)).is<typeof user>(true);
  typeOf(t.async.first([user])).is<Promise<typeof user | undefined>>(true);
  typeOf(t.async.wrap(user)).is<Promise<(typeof user)[]>>(true);
  typeOf(t.async.pair(1, 'x')).is<Promise<[a: number, b: string]>>(true);
  typeOf(t.async.pick(user, 'age')).is<Promise<number>>(true);
  typeOf(t.async.map([1, 2], (x: number) => `${x}`)).is<Promise<string[]>>(true);
  typeOf(t.async.count([user], (x) => x.age > 1)).is<Promise<number>>(true);
  typeOf(t.async.isText(1)).is<Promise<boolean>>(true);
  typeOf(t.async.named(user)).is<Promise<typeof user>>(true);
  typeOf(t.async.largest(1, 2, 3)).is<Promise<number>>(true);
  typeOf(t.async.literal('on')).is<Promise<'on'>>(true);
  // Kept for its type parameter, with its callback as declared.
  typeOf(await t.async.filterAsync([user], async (x) => x.age > 1)).is<(typeof user)[]>(true);
  // Lost: any, never unknown.
  typeOf(t.async.box(user)).is<Promise<any>>(true);
  typeOf(t.async.all(1, 'x')).is<Promise<any>>(true);
  typeOf(t.sync.load('k')).is<any>(true);
  typeOf(t.async.list('k')).is<Promise<any>>(true);
  // @ts-expect-error a constraint is checked
  void t.async.named({ age: 1 });
  // @ts-expect-error the arguments are checked all the same
  void t.async.wrap();
}

export async function overloadedCalls(): Promise<void> {
  typeOf(t.sync.format('x')).is<string>(true);
  typeOf(t.sync.format(1, 2)).is<number>(true);
  typeOf(await t.async.format('x')).is<string>(true);
  typeOf(await t.async.format(1, 2)).is<number>(true);
  typeOf(t.sync.fetchOne('x')).is<string>(true);
  typeOf(t.sync.fetchOne(1)).is<number>(true);
  typeOf(t.async.fetchOne('x')).is<Promise<string>>(true);
  typeOf(t.async.fetchOne(1)).is<Promise<number>>(true);
  // @ts-expect-error no overload takes this
  void t.async.format(1);
  // @ts-expect-error no overload takes this
  t.sync.fetchOne(true);
}

export function callbacks(): void {
  t.sync.visit('d', (file) => file.length > 1);
  void t.async.visit('d', (file) => file.length > 1);
  void t.async.visit('d', async (file) => file.length > 1);
  t.sync.visitAsync('d', (file) => file.length > 1);
  void t.async.visitAsync('d', (file) => file.length > 1);
  void t.async.visitAsync('d', async (file) => file.length > 1);
  void t.async.each((x) => x + 1);
  t.sync.compile('s', { level: 1, importer: (url) => url.slice(1) });
  void t.async.compile('s', { level: 1, importer: async (url) => url.slice(1) });
  void t.async.compile('s', { level: 1 });
  void t.async.compile('s');
  // @ts-expect-error a promise cannot settle while this thread is blocked
  t.sync.visit('d', async () => true);
  // @ts-expect-error the same, where the callee would await it
  t.sync.visitAsync('d', async () => true);
  // @ts-expect-error the same, in an options object
  t.sync.compile('s', { level: 1, importer: async (url) => url });
  // @ts-expect-error the value has the wrong type
  void t.async.visit('d', () => 'yes');
  // @ts-expect-error the promised value has the wrong type
  void t.async.compile('s', { level: 1, importer: async () => 1 });
  // @ts-expect-error the other properties are checked as declared
  void t.async.compile('s', { level: '1' });
}

/** A task of which only an interface is known. */
interface Store {
  get(key: string): Promise<string | undefined>;
  set<K extends string>(key: K, value: string): void;
  readonly size: number;
}

export type OfInterface = [
  Expect<Equal<keyof Sync<Store>, 'get' | 'set'>>,
  Expect<Equal<Sync<Store>['get'], (key: string) => string | undefined>>,
  Expect<Equal<Sync<Store>['set'], Store['set']>>,
  Expect<Equal<ReturnType<Async<Store>['set']>, Promise<void>>>,
  Expect<Equal<ReturnType<Sync<Record<string, (x: number) => Promise<string>>>[string]>, string>>,
];
