/** Copies between linear memories, by the instruction and by views. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyBetween, copyViews, dropCopiers, makeCopier } from './copier.ts';
import { makePair, makeSpace, type Space, viewOf } from './space.ts';

const PAGE = 65_536;

function space(pages = 1): Space {
  const made = makeSpace();
  made.memory = new WebAssembly.Memory({ initial: pages, maximum: 4 });
  return made;
}

const ways = { instruction: makeCopier, views: copyViews };

for (const [way, make] of Object.entries(ways)) {
  test(`by ${way}: bytes arrive, to the last byte of either memory`, () => {
    const [to, from] = [space(), space()];
    const copy = make(to, from)!;
    viewOf(from).fill(7, PAGE - 3);
    copy(0, PAGE - 3, 3);
    assert.deepEqual([...viewOf(to).subarray(0, 4)], [7, 7, 7, 0]);
    copy(PAGE - 3, PAGE - 3, 3);
    assert.equal(viewOf(to)[PAGE - 1], 7);
    copy(PAGE, PAGE, 0);
  });

  test(`by ${way}: a memory that has grown is reached, and beyond its end nothing is`, () => {
    const [to, from] = [space(), space()];
    const copy = make(to, from)!;
    viewOf(to);
    viewOf(from);
    to.memory!.grow(1);
    from.memory!.grow(2);
    viewOf(from)[2 * PAGE + 5] = 9;
    copy(2 * PAGE - 1, 2 * PAGE + 5, 1);
    assert.equal(viewOf(to)[2 * PAGE - 1], 9);
    assert.throws(() => copy(2 * PAGE - 1, 0, 2), RangeErrorOrTrap);
    assert.equal(viewOf(to)[0], 0);
  });
}

const RangeErrorOrTrap = (error: unknown): boolean =>
  error instanceof RangeError || error instanceof WebAssembly.RuntimeError;

test('more pairs than copiers are kept go on working, and pairs are not mixed up', () => {
  const hub = space();
  const others = Array.from({ length: 100 }, (_, i) => {
    const other = space();
    viewOf(other)[0] = i;
    return other;
  });
  for (let round = 0; round < 2; round++) {
    for (const [i, other] of others.entries()) {
      copyBetween(hub, i, other, 0, 1);
      copyBetween(other, 100, hub, i, 1);
    }
  }
  for (const [i, other] of others.entries()) assert.deepEqual([viewOf(hub)[i], viewOf(other)[100]], [i, i]);
  dropCopiers(hub);
  copyBetween(hub, 0, others[5]!, 0, 1);
  assert.equal(viewOf(hub)[0], 5);
});

test('a result of all that 32 bits can name has no room for its pair, and its allocator is not asked', () => {
  const to = space();
  let asked = 0;
  to.alloc = (length) => {
    asked++;
    return length;
  };
  for (const length of [-1, -8 + 1]) assert.throws(() => makePair(to, length), /no room/);
  assert.equal(asked, 0);
  assert.throws(() => makePair(to, -9), /not within its memory/);
  assert.equal(makePair(to, 8), 16);
});
