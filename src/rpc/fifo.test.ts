/** A queue keeps its order, whoever leaves it, and holds on to nobody who has left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Entry, Fifo, NOWHERE } from './fifo.ts';

interface Named extends Entry {
  readonly name: number;
}

test('a queue does as a Set does, in every order of comings and goings', () => {
  const commands = fc.array(fc.oneof(fc.constant('add' as const), fc.constant('take' as const), fc.nat(40)));
  fc.assert(
    fc.property(commands, (list) => {
      const queue = new Fifo<Named>();
      const model = new Set<Named>();
      const made: Named[] = [];
      for (const command of list) {
        if (command === 'add') {
          made.push({ place: NOWHERE, name: made.length });
          queue.add(made.at(-1)!);
          model.add(made.at(-1)!);
        } else {
          const entry = command === 'take' ? queue.first() : made[command];
          if (entry !== undefined) assert.equal(queue.delete(entry), model.delete(entry));
        }
        assert.equal(queue.first(), [...model][0]);
        assert.equal(queue.size, model.size);
      }
      assert.deepEqual(queue.all(), [...model]);
    }),
  );
});

test('a hundred thousand wait and leave, some out of turn', () => {
  const queue = new Fifo<Named>();
  const entries = Array.from({ length: 100_000 }, (_, name): Named => ({ place: NOWHERE, name }));
  for (const entry of entries) queue.add(entry);
  for (const entry of entries) if (entry.name % 3 === 1) assert.ok(queue.delete(entry));
  const left: number[] = [];
  for (let entry = queue.first(); entry !== undefined; entry = queue.first()) {
    left.push(entry.name);
    assert.ok(queue.delete(entry));
    assert.ok(!queue.delete(entry));
  }
  assert.deepEqual(
    left,
    entries.filter(({ name }) => name % 3 !== 1).map(({ name }) => name),
  );
});
