/** Asking for room on the stack. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needRoom } from './room.ts';

/** How deep a function can call itself that does this at each step. */
function depthWith(action: () => void): number {
  let depth = 0;
  const down = (): void => {
    depth++;
    action();
    down();
  };
  assert.throws(down, RangeError);
  return depth;
}

test('where there is no room for more, asking fails while there is still some', () => {
  const nothing = (): void => {};
  // Interpreted and compiled, by either compiler.
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 50_000; i++) needRoom();
    let inner = 0;
    const down = (): void => {
      needRoom();
      inner = 0;
      try {
        down();
      } catch (error) {
        // The last that had room can still call, a hundred deep.
        const more = (left: number): number => (left === 0 ? 0 : 1 + more(left - 1));
        if (inner === 0) inner = more(100);
        throw error;
      }
    };
    assert.throws(down, RangeError);
    assert.equal(inner, 100);
    assert.ok(depthWith(needRoom) < depthWith(nothing));
  }
});
