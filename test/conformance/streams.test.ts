/**
 * Streams: the iterators that exported generator functions give, in a worker and in this agent; what frees them, and
 * what a consumer sees when their task ends.
 */
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { ReadableStream } from 'node:stream/web';
import { runInNewContext } from 'node:vm';
import { IpcError, task } from '../../src/index.ts';
import type { Task } from '../../src/index.ts';
import { STREAMS_OPEN_MAX } from '../../src/layout/params.ts';
import { openIterators } from '../../src/rpc/generators.ts';
import { openStreams } from '../../src/rpc/streams.ts';
import { fixture, guarded, rejectionOf, sleep, systemTest, thrownBy, until } from './support.ts';

const url = fixture('streams.ts');
type Streams = typeof import('./fixtures/streams.ts');

/** Steps of the tests below, of a blocked caller and of one whose loop is free, as one interface. */
interface Steps {
  next(value?: unknown): unknown;
  return(value?: unknown): unknown;
  throw(error?: unknown): unknown;
}

/** All values of a stream. */
async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream) values.push(value);
  return values;
}

type Part = (t: Task<Streams>) => void | Promise<void>;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

for (const kind of ['worker', 'local'] as const) {
  const parts: [string, Part][] = [];
  const streamTest = (title: string, run: Part): void => void parts.push([title, run]);
  // One task for all of them: most of the time of a test is the start of a worker.
  systemTest(`streams of a ${kind} task`, async (system) => {
    const t = await system.spawn<Streams>(url, { kind });
    for (const [title, run] of parts) {
      try {
        await run(t);
      } catch (error) {
        throw new Error(title, { cause: error });
      }
      assert.equal(openIterators(), 0, title);
    }
  });

  streamTest('for and for await over generators of both sorts', async (t) => {
    assert.deepEqual([...t.sync.numbers(4)], [0, 1, 2, 3]);
    assert.deepEqual(await collect(t.async.numbers(4)), [0, 1, 2, 3]);
    assert.deepEqual(await collect(t.async.numbersLater(4, 1)), [0, 1, 2, 3]);
    if (kind === 'worker') assert.deepEqual([...t.sync.numbersLater(4, 1)], [0, 1, 2, 3]);
    else assert.equal(thrownBy(() => [...t.sync.numbersLater(4)]).code, 'ERR_IPC_DEADLOCK');
    assert.deepEqual([...t.sync.numbers(0)], []);
    if (kind === 'worker') assert.deepEqual([...t.sync.promises()], [1, 2]);
    assert.deepEqual(await collect(t.async.promises()), [1, 2]);
    assert.equal(openStreams(), 0);
  });

  streamTest('the generator computes what was asked for, and no more', async (t) => {
    const stream = t.sync.numbers(100);
    const { made } = t.sync.counts();
    stream.next();
    assert.equal(t.sync.counts().made, made + 1);
    stream.next();
    assert.equal(t.sync.counts().made, made + 2);
    stream.return('enough');
    const later = t.async.numbersLater(100);
    await later.next();
    assert.equal(t.sync.counts().made, made + 3);
    await later.return('enough');
  });

  streamTest('values, results, and what next() is given', async (t) => {
    const list = [1, 'text', null, undefined, { a: [1n] }, new Uint8Array(3), 'x'.repeat(3 << 20)];
    assert.deepEqual([...t.sync.values(list)], list);
    assert.deepEqual(await collect(t.async.values(list)), list);
    const sync = t.sync.echo();
    const async = t.async.echo();
    for (const step of [(x?: unknown) => sync.next(x), (x?: unknown) => async.next(x)]) {
      assert.deepEqual(await step('lost'), { value: 'first', done: false });
      assert.deepEqual(await step({ a: 1 }), { value: { a: 1 }, done: false });
      assert.deepEqual(await step(2), { value: 2, done: false });
      assert.deepEqual(await step('end'), { value: 'ended', done: true });
      assert.deepEqual(await step('more'), { value: undefined, done: true });
    }
  });

  streamTest('return() and throw() reach the generator', async (t) => {
    const { ended } = t.sync.counts();
    for (const stream of [t.sync.numbers(9), t.async.numbers(9)] as Steps[]) {
      await stream.next();
      assert.deepEqual(await stream.return('given'), { value: 'given', done: true });
      assert.deepEqual(await stream.return('again'), { value: 'again', done: true });
      assert.deepEqual(await stream.next(), { value: undefined, done: true });
      assert.equal((await rejectionOf((async () => stream.throw(new Error('late')))())).message, 'late');
    }
    assert.equal(t.sync.counts().ended, ended + 2);
    for (const stream of [t.sync.echo(), t.async.echo()] as Steps[]) {
      await stream.next();
      const thrown = Object.assign(new RangeError('thrown into it'), { code: 'ERR_IN' });
      const caught = { caught: 'RangeError', message: 'thrown into it', code: 'ERR_IN' };
      assert.deepEqual(await stream.throw(thrown), { value: caught, done: false });
      await stream.return();
    }
    for (const stream of [t.sync.yieldsAtEnd(), t.async.yieldsAtEnd()] as Steps[]) {
      await stream.next();
      assert.deepEqual(await stream.return('given'), { value: 'in finally', done: false });
      assert.deepEqual(await stream.next(), { value: 'given', done: true });
    }
    assert.equal(openStreams(), 0);
  });

  streamTest('an error of the generator arrives as itself, with both stacks', async (t) => {
    function consume(): void {
      for (const x of t.sync.failsAt(2)) assert.ok(x < 2);
    }
    const error = thrownBy(consume);
    assert.ok(error instanceof RangeError);
    assert.equal((error as { code?: string }).code, 'ERR_ODD');
    assert.match(error.stack!, /at failsAt .*\n[^]*at <ipc streams\.failsAt>\n[^]*at consume /);
    async function consumeLater(): Promise<void> {
      for await (const x of t.async.failsLaterAt(2)) assert.ok(x < 2);
    }
    const later = await rejectionOf(consumeLater());
    assert.match(later.stack, /at failsLaterAt .*\n[^]*at <ipc streams\.failsLaterAt>\n[^]*at async consumeLater /);
    // One that has not begun.
    assert.deepEqual(t.sync.numbers(3).return('early'), { value: 'early', done: true });
    assert.equal(openStreams(), 0);
  });

  streamTest('a value that cannot be sent ends the stream, and its generator', async (t) => {
    const { ended } = t.sync.counts();
    for (const consume of [() => [...t.sync.unclonable()], () => collect(t.async.unclonable())]) {
      const error = await rejectionOf((async () => consume())());
      assert.equal(error.code, 'ERR_IPC_NOT_CLONEABLE');
    }
    while ((await t.async.counts()).ended < ended + 2) await sleep(5);
    assert.match(thrownBy(() => t.sync.plain()).message, /an exported generator function gives a stream/);
    assert.throws(() => t.sync.values([() => 1]).next(), /ERR_IPC_REVOKED|cannot be sent/);
  });

  streamTest('a consumer that breaks or throws ends the generator', async (t) => {
    const { ended } = t.sync.counts();
    for (const x of t.sync.numbers(9)) if (x === 1) break;
    assert.equal(t.sync.counts().ended, ended + 1);
    assert.throws(() => {
      for (const x of t.sync.numbers(9)) throw new Error(`consumer ${x}`);
    }, /consumer 0/);
    for await (const x of t.async.numbersLater(9)) if (x === 1) break;
    assert.equal(t.sync.counts().ended, ended + 3);
    const [first] = t.sync.numbers(9);
    assert.equal(first, 0);
    {
      const stream = t.sync.numbers(9);
      stream.next();
      stream[Symbol.dispose]();
      const later = t.async.numbers(9);
      await later.next();
      await later[Symbol.asyncDispose]();
    }
    assert.equal(t.sync.counts().ended, ended + 6);
    assert.deepEqual(
      t.sync
        .numbers(9)
        .map((x) => 2 * x)
        .take(2)
        .toArray(),
      [0, 2],
    );
    assert.equal(t.sync.counts().ended, ended + 7);
    assert.equal(openStreams(), 0);
  });

  streamTest('a stream that nobody holds any more is ended', async (t) => {
    const { ended } = t.sync.counts();
    (() => {
      t.sync.numbers(9).next();
      // Never stepped, and never opened by the time that it is let go.
      void t.sync.numbers(9);
      void t.async.numbers(9);
    })();
    await (async () => void (await t.async.numbersLater(9).next()))();
    assert.equal(openStreams(), 4);
    while (openStreams() > 0) {
      gc();
      await sleep(5);
    }
    while ((await t.async.counts()).ended < ended + 2) await sleep(5);
  });

  streamTest('batches bring the same values, and what is behind them', async (t) => {
    for (const batch of [2, 3, 7, 100]) {
      const many = t.with({ batch });
      assert.deepEqual([...many.sync.numbers(7)], [0, 1, 2, 3, 4, 5, 6]);
      assert.deepEqual(await collect(many.async.numbers(7)), [0, 1, 2, 3, 4, 5, 6]);
      assert.deepEqual(await collect(many.async.numbersLater(7)), [0, 1, 2, 3, 4, 5, 6]);
      assert.deepEqual(await collect(many.async.numbersLater(3, 2)), [0, 1, 2]);
      assert.deepEqual(await collect(many.async.promises()), [1, 2]);
      const seen: number[] = [];
      const consume = async (): Promise<void> => {
        for await (const x of many.async.failsLaterAt(5)) seen.push(x);
      };
      assert.equal((await rejectionOf(consume())).message, 'the generator failed');
      assert.deepEqual(seen, [0, 1, 2, 3, 4]);
      assert.throws(() => {
        for (const x of many.sync.failsAt(5)) seen.push(x);
      }, RangeError);
      assert.deepEqual(seen.slice(5), [0, 1, 2, 3, 4]);
      const stream = many.sync.numbers(1);
      assert.deepEqual(
        [stream.next(), stream.next(), stream.next()],
        [
          { value: 0, done: false },
          { value: 'all', done: true },
          { value: undefined, done: true },
        ],
      );
    }
    const ended = t.sync.counts().ended;
    for (const x of t.with({ batch: 5 }).sync.numbers(100)) if (x === 2) break;
    for (const _ of t.with({ batch: 5 }).sync.failsAt(3)) break;
    assert.equal(t.sync.counts().ended, ended + 1);
    const errors = t.with({ batch: 5 }).sync.failsAt(3);
    errors.next();
    assert.deepEqual(errors.return('no error'), { value: 'no error', done: true } as never);
    assert.throws(() => t.with({ batch: 0 }), /batch is 0; it must be a whole number from 1 to 4096/);
    assert.equal(openStreams(), 0);
  });

  streamTest('steps asked for at once are made one after the other', async (t) => {
    for (const batch of [1, 3]) {
      const stream = t.with({ batch }).async.numbersLater(4, 1);
      const steps = await Promise.all([1, 2, 3, 4, 5, 6].map(() => stream.next()));
      assert.deepEqual(
        steps.map(({ value }) => value),
        [0, 1, 2, 3, 'all', undefined],
      );
    }
    const streams = Array.from({ length: 100 }, () => t.async.numbersLater(3, 1));
    const all = await Promise.all(streams.map((stream) => collect(stream)));
    assert.deepEqual(all[99], [0, 1, 2]);
  });

  streamTest('web streams, out of a stream and into one', async (t) => {
    const read: number[] = [];
    for await (const x of ReadableStream.from(t.async.numbersLater(3))) read.push(x);
    assert.deepEqual(read, [0, 1, 2]);
    const reader = ReadableStream.from(t.async.numbers(100)).getReader();
    await reader.read();
    const { ended } = t.sync.counts();
    await reader.cancel();
    assert.equal(t.sync.counts().ended, ended + 1);
    assert.equal((await collect(t.async.fromWeb())).join(''), 'ab');
  });

  streamTest('there is a limit of open streams', async (t) => {
    const kept = Array.from({ length: STREAMS_OPEN_MAX }, () => t.sync.numbers(1));
    const error = thrownBy(() => t.sync.numbers(1));
    assert.ok(error instanceof IpcError);
    assert.equal(error.code, 'ERR_IPC_LIMIT');
    assert.match(error.message, /streams\.numbers\(\): this thread has 1024 streams open/);
    assert.equal((await rejectionOf(t.async.numbers(1).next())).code, 'ERR_IPC_LIMIT');
    for (const stream of kept) stream.return('');
    assert.deepEqual([...t.sync.numbers(1)], [0]);
  });

  streamTest('kill() ends its streams', async (t) => {
    const sync = t.sync.numbers(9);
    const async = t.async.numbersLater(9);
    sync.next();
    await async.next();
    await t.kill();
    for (const step of [() => sync.next(), () => async.next()]) {
      const error = await rejectionOf((async () => step())());
      assert.ok(error instanceof IpcError);
      assert.equal(error.code, 'ERR_IPC_PEER_GONE');
    }
    assert.deepEqual(sync.next(), { value: undefined, done: true });
    assert.deepEqual(await async.next(), { value: undefined, done: true });
    assert.equal(openStreams(), 0);
  });
}

systemTest('a stream whose task dies in the middle ends in PEER_GONE', async (system) => {
  const t = await system.spawn<Streams>(url, { restart: 'on-failure' });
  for (const batch of [1, 4]) {
    const seen: number[] = [];
    const error = thrownBy(() => {
      for (const x of t.with({ batch }).sync.dies(4)) seen.push(x);
    });
    assert.equal(error.code, 'ERR_IPC_PEER_GONE');
    assert.match(error.message, /streams\.dies\(\): the task has ended \(exit code 3\)/);
    if (batch === 1) assert.deepEqual(seen, [0, 1, 2, 3]);
  }
  // The next incarnation takes calls, and no steps of an iterator that it never had.
  const other = t.sync.numbers(9);
  other.next();
  const async = t.async.dies(1);
  assert.deepEqual(await async.next(), { value: 0, done: false });
  assert.equal((await rejectionOf(async.next())).code, 'ERR_IPC_PEER_GONE');
  assert.deepEqual([...t.sync.numbers(2)], [0, 1]);
  const gone = thrownBy(() => other.next());
  assert.equal(gone.code, 'ERR_IPC_PEER_GONE');
  assert.match(gone.message, /streams\.numbers\(\): the task of this stream has ended/);
  assert.equal(openStreams(), 0);
});

systemTest(
  'a step that outlives its timeout, or is aborted, ends the stream and frees the generator',
  async (system) => {
    const t = await system.spawn<Streams>(url);
    const quick = t.with({ timeout: 50 });
    const sync = quick.sync.hangs();
    sync.next();
    assert.equal(thrownBy(() => sync.next()).code, 'ERR_IPC_TIMEOUT');
    assert.deepEqual(sync.next(), { value: undefined, done: true });
    while ((await t.async.counts()).ended < 1) await sleep(5);
    const controller = new AbortController();
    const async = t.with({ signal: controller.signal }).async.numbersLater(9, 30);
    await async.next();
    setTimeout(() => controller.abort(new Error('enough')), 5);
    const error = await rejectionOf(async.next());
    assert.equal(error.code, 'ERR_IPC_ABORTED');
    while ((await t.async.counts()).ended < 2) await sleep(5);
    assert.equal(openStreams(), 0);
  },
);

systemTest('streams between workers; those of a consumer that ends are freed', async (system) => {
  const t = await system.spawn<Streams>(url, { name: 'numbers' });
  const consumer = await system.spawn<Streams>(url);
  assert.equal(consumer.sync.sumOf('numbers', 100), 4950);
  assert.equal(consumer.sync.sumOf('numbers', 1000, 64), 499500);
  assert.equal(await consumer.async.sumOfLater('numbers', 100), 4950);
  const before = t.sync.counts().ended;
  await assert.rejects(consumer.async.leaveOpen('numbers'), { code: 'ERR_IPC_PEER_GONE' });
  // The generator's task waits in place meanwhile: asking it would be what wakes it.
  await sleep(700);
  while (t.sync.counts().ended === before) await sleep(300);
  assert.equal(t.sync.counts().ended, before + 1);
});

systemTest('concurrency bounds the steps of asynchronous generators as it does calls', async (system) => {
  const t = await system.spawn<Streams>(url, { concurrency: 1 });
  const both = await Promise.all([collect(t.async.numbersLater(5, 1)), collect(t.async.numbersLater(5, 1))]);
  assert.deepEqual(both, [
    [0, 1, 2, 3, 4],
    [0, 1, 2, 3, 4],
  ]);
});

systemTest('a shutdown with open streams leaves nothing, and ends them', async (system) => {
  const t = await system.spawn<Streams>(url);
  const local = await system.spawn<Streams>(url, { kind: 'local' });
  const streams: Steps[] = [t.sync.numbers(9), local.sync.numbers(9), t.async.numbersLater(9), local.async.numbers(9)];
  for (const stream of streams) await stream.next();
  const waiting = t.async.numbersLater(9, 60_000).next();
  const ended = rejectionOf(waiting);
  await sleep(10);
  await system.shutdown();
  assert.match((await ended).code, /ERR_IPC_(SHUTDOWN|PEER_GONE)/);
  for (const stream of streams) {
    const error = await rejectionOf((async () => stream.next())());
    assert.match(error.code, /ERR_IPC_(SHUTDOWN|PEER_GONE|NO_SUCH_THREAD)/);
  }
  assert.equal(openIterators(), 0);
  await until(() => openStreams() === 0);
});

guarded('streams of a task that their calls start', async () => {
  for (const options of [{}, { batch: 3 }]) {
    const t = task<Streams>(url);
    const { async } = t.with(options);
    assert.deepEqual(await collect(async.numbersLater(4)), [0, 1, 2, 3]);
    assert.deepEqual([...t.sync.numbers(2)], [0, 1]);
    await t.kill();
  }
  const t = task<Streams>(url);
  const stream = t.async.numbers(9);
  const noStream = t.async.counts() as unknown as AsyncIterable<unknown>;
  assert.deepEqual(await stream.next(), { value: 0, done: false });
  assert.deepEqual(await stream.return('enough'), { value: 'enough', done: true });
  await assert.rejects(collect(noStream), /counts\(\) gives a value, and no stream/);
  assert.equal(t.sync.counts().ended, 1);
  assert.equal(await t.async.ping(), 'pong');
  await t.kill();
});
