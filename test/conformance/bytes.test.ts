/**
 * Byte arrays with fewer copies: `borrow`, `into`, and results that are nothing but bytes. Whatever way they go, what
 * arrives is what would have arrived without.
 */
import assert from 'node:assert/strict';
import { move } from '../../src/index.ts';
import { fixture, rejectionOf, systemTest, thrownBy } from './support.ts';

const url = fixture('bytes.ts');
type Bytes = typeof import('./fixtures/bytes.ts');

/** Around the bounds of inline messages, windows of both sizes, and pieces. */
const LENGTHS = [0, 7, 65_536, 65_537, 1 << 20, (1 << 20) + 1];

const pattern = (length: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 7;
  return bytes;
};

for (const kind of ['worker', 'local'] as const) {
  systemTest(`bytes, ${kind}: results of every length, owned, borrowed, and into a buffer`, async (system) => {
    const t = await system.spawn<Bytes>(url, { kind });
    const into = new Uint8Array(4 << 20);
    const ways = [t, t.with({ borrow: true }), t.with({ into }), t.with({ into, borrow: true })];
    for (const length of LENGTHS) {
      const bytes = pattern(length);
      for (const way of ways) {
        assert.deepEqual(way.sync.echo(bytes), bytes);
        assert.deepEqual(await way.async.echo(bytes), bytes);
        assert.deepEqual(await way.async.makeLater(length, 3), new Uint8Array(length).fill(3));
      }
    }
    const owned = t.sync.make(10, 1);
    assert.equal(owned.buffer.byteLength, 10);
    assert.deepEqual(t.sync.make(10, 2), new Uint8Array(10).fill(2));
    assert.deepEqual(owned, new Uint8Array(10).fill(1));
    // The array that a task gives stays its own.
    const mine = pattern(9);
    const back = t.sync.echo(mine) as Uint8Array;
    back[0] = 99;
    assert.equal(mine[0], 0);
  });

  systemTest(`bytes, ${kind}: into`, async (system) => {
    const t = await system.spawn<Bytes>(url, { kind });
    const buffer = Buffer.alloc(64);
    const { sync, async } = t.with({ into: buffer });
    const part = sync.make(10, 5);
    assert.equal(part.buffer, buffer.buffer);
    assert.equal(part.byteOffset, buffer.byteOffset);
    assert.equal(part.length, 10);
    assert.equal(buffer[9], 5);
    assert.equal(buffer[10], 0);
    assert.equal((await async.make(64, 6)).buffer, buffer.buffer);
    assert.equal(String(sync.makeBuffer('some text')), 'some text');
    assert.equal((sync.makeBuffer('some text') as Uint8Array).buffer, buffer.buffer);
    assert.deepEqual(sync.echo({ a: 1 }), { a: 1 });
    assert.equal(sync.echo(undefined), undefined);
    for (const error of [thrownBy(() => sync.make(65, 7)), await rejectionOf(async.makeLater(65, 7))]) {
      assert.equal(error.code, 'ERR_IPC_OVERFLOW');
      assert.match(error.message, /bytes\.make(Later)?\(\): the result has 65 bytes, the buffer given as into has 64/);
    }
    assert.equal(buffer[0], 's'.charCodeAt(0));
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    t.with({ into: shared }).sync.make(8, 4);
    assert.equal(shared[7], 4);
    assert.throws(() => t.with({ into: [] as never }), /into is an array; it must be a Uint8Array/);
    assert.throws(() => t.with({ borrow: 1 as never }), /borrow is 1; it must be true or false/);
    // What a stream yields is the stream's.
    const steps = [...t.with({ into: buffer, borrow: true }).sync.parts(new Uint8Array([1, 2]))];
    assert.deepEqual(steps, [new Uint8Array([1, 1]), new Uint8Array([2, 2])]);
  });

  systemTest(`bytes, ${kind}: borrowed arguments arrive as they are`, async (system) => {
    const t = await system.spawn<Bytes>(url, { kind });
    const { sync, async } = t.with({ borrow: true });
    for (const length of LENGTHS) {
      const bytes = pattern(length);
      const expected = t.sync.sum(bytes, 5, bytes);
      assert.deepEqual(sync.sum(bytes, 5, bytes), expected);
      assert.deepEqual(await async.sum(bytes, 5, bytes), expected);
      assert.equal(bytes.length, length);
    }
    // Part of a buffer, a Buffer, and more than a message has strings.
    const whole = pattern(100);
    assert.deepEqual(sync.sum(whole.subarray(10, 20)), t.sync.sum(whole.slice(10, 20)));
    assert.deepEqual(sync.sum(Buffer.from('abc')), [294]);
    const many = Array.from({ length: 20 }, (_, i) => new Uint8Array(10).fill(i));
    assert.deepEqual(sync.sum(...many), t.sync.sum(...many));
    assert.equal(
      sync.callBack(new Uint8Array([1, 2]), (sum) => 10 * sum),
      33,
    );
    assert.deepEqual(sync.echoPart(new Uint8Array([1, 2, 3, 4])), new Uint8Array([2, 3]));
    // Shared memory is the callee's as much as the caller's; a moved buffer is given away.
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    assert.equal(sync.fill(shared, 7), true);
    assert.deepEqual([...shared], [7, 7, 7, 7]);
    const given = new Uint8Array(5).fill(1);
    assert.deepEqual(sync.sum(move(given)), [5]);
    assert.equal(given.length, 0);
    assert.equal(t.sync.makeMoved(77).byteLength, 77);
    // What the callee writes is not seen.
    const mine = pattern(1000);
    assert.equal(sync.fill(mine, 1), false);
    assert.deepEqual(mine, pattern(1000));
    assert.throws(() => sync.fail(mine), /failed with 1000/);
    assert.throws(() => sync.sum(new Uint8Array(2), Symbol('no') as never), { code: 'ERR_IPC_NOT_CLONEABLE' });
  });
}

systemTest('bytes: what is lent is taken back', async (system) => {
  const t = await system.spawn<Bytes>(url, { name: 'bytes' });
  const other = await system.spawn<Bytes>(url, { name: 'other' });
  const { sync, async } = t.with({ borrow: true });
  const bytes = pattern(1000);
  const { sum } = t.sync.keep(bytes);
  // The callee: owned arrays stay, lent ones are empty once the call is answered.
  assert.deepEqual(sync.keep(bytes), { sum, before: [1000], name: 'Uint8Array' });
  assert.deepEqual(sync.keep(bytes), { sum, before: [1000, 0], name: 'Uint8Array' });
  assert.deepEqual(sync.sumLater(bytes), [sum, sum]);
  assert.throws(() => sync.fail(bytes), RangeError);
  assert.deepEqual(t.sync.keptLengths(), [1000, 0, 0, 0, 0]);
  await async.keep(bytes);
  assert.deepEqual(t.sync.keptLengths(), [1000, 0, 0, 0, 0, 1000]);
  // The caller: until its next call through these stubs.
  const first = sync.make(100, 1);
  assert.equal(t.sync.make(100, 2)[0], 2);
  assert.equal(first[99], 1);
  const second = sync.make(200, 3);
  assert.equal(first.length, 0);
  assert.equal(second[199], 3);
  const large = sync.make(5 << 20, 4);
  assert.equal(large.length, 5 << 20);
  sync.sum();
  assert.equal(large.length, 0);
  // While a handler calls others its arguments are what they were.
  for (const length of [10, 1000, 70_000, 2 << 20]) {
    const [before, after, made, lent] = sync.sumAround(pattern(length), 'other');
    assert.equal(after, before);
    assert.equal(lent, before);
    assert.equal(made, 9 * length);
  }
  assert.deepEqual(other.sync.useFrom('bytes'), [3, 8, 4]);
  // A busy callee takes the message out of its queue, in pieces or not.
  for (const length of [1000, 3 << 20]) {
    const busy = t.async.burn(20);
    assert.deepEqual(sync.sum(pattern(length), 1), t.sync.sum(pattern(length), 1));
    await busy;
  }
});

systemTest('bytes: deaths, restarts and pools', async (system) => {
  const t = await system.spawn<Bytes>(url, { restart: 'on-failure', instances: 2 });
  const into = new Uint8Array(10);
  const lending = t.with({ borrow: true, into });
  for (const length of [3, 2 << 20]) {
    assert.equal(thrownBy(() => lending.sync.giveUp(pattern(length))).code, 'ERR_IPC_PEER_GONE');
    assert.deepEqual(lending.sync.sum(pattern(10)), [[...pattern(10)].reduce((sum, x) => sum + x, 0)]);
    assert.equal(lending.sync.make(4, 2).buffer, into.buffer);
    assert.equal((await lending.async.make(4, 3)).buffer, into.buffer);
  }
  const busy = [t.async.burn(30), t.async.burn(30)];
  assert.equal(lending.sync.make(4, 5).buffer, into.buffer);
  assert.equal(into[3], 5);
  assert.equal(thrownBy(() => lending.sync.make(11, 5)).code, 'ERR_IPC_OVERFLOW');
  await Promise.all(busy);
});
