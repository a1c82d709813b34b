/**
 * What the compiler says of streams: the stubs of generator functions. Nothing here runs.
 */
import { ReadableStream } from 'node:stream/web';
import type { Async, Sync, Task } from '../../src/rpc/types.ts';
import type { Equal, Expect } from './equal.test-d.ts';
import type * as functions from './module.test-d.ts';

type Module = typeof functions;
type S = Sync<Module>;
type A = Async<Module>;

export type Kept = [
  Expect<Equal<S['rows'], Module['rows']>>,
  Expect<Equal<S['iterable'], Module['iterable']>>,
  Expect<Equal<S['iterableIterator'], Module['iterableIterator']>>,
  Expect<Equal<S['each2'], Module['each2']>>,
  Expect<Equal<A['rowsLater'], Module['rowsLater']>>,
  Expect<Equal<A['asyncIterable'], Module['asyncIterable']>>,
];

export type Turned = [
  Expect<Equal<A['rows'], (count: number) => AsyncGenerator<{ id: number }, string, boolean | undefined>>>,
  Expect<Equal<S['rowsLater'], (count: number) => Generator<number, void, any>>>,
  Expect<Equal<ReturnType<A['promised']>, AsyncGenerator<string, any, any>>>,
  Expect<Equal<ReturnType<A['iterable']>, AsyncGenerator<number, any, any>>>,
  Expect<Equal<ReturnType<A['iterableIterator']>, AsyncGenerator<number, any, any>>>,
  Expect<Equal<ReturnType<S['asyncIterable']>, Generator<number, any, any>>>,
  Expect<Equal<ReturnType<A['each2']>, AsyncGenerator<any, any, any>>>,
];

/** What can be iterated and is no iterator stays a value. */
export type Values = [
  Expect<Equal<A['array'], () => Promise<readonly number[]>>>,
  Expect<Equal<A['map2'], () => Promise<Map<string, number>>>>,
  Expect<Equal<ReturnType<A['slow']>, Promise<string>>>,
];

declare const t: Task<Module>;

export async function loops(): Promise<void> {
  for (const row of t.sync.rows(1)) row.id.toFixed();
  for (const row of t.sync.rowsLater(1)) row.toFixed();
  for await (const row of t.async.rows(1)) row.id.toFixed();
  for await (const row of t.with({ batch: 10 }).async.rowsLater(1)) row.toFixed();
  for await (const x of t.async.each2(['a'])) void x;
  const stream: ReadableStream<number> = ReadableStream.from(t.async.rowsLater(1));
  void stream;
  // @ts-expect-error an asynchronous stream is no promise
  void t.async.rows(1).then();
  // @ts-expect-error the batch is a number
  t.with({ batch: 'all' });
}
