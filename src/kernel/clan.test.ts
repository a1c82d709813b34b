/** Clans: who may send to whom directly, and to whom a message is given otherwise. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { poke } from '../platform/atomics.ts';
import { CALL, DENIED, NEVER, NOT_YET, OK, OPEN_ONLY, REPLY } from '../layout/message.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { TASK_INSPECTOR } from '../layout/task.ts';
import { assertSound, idOf, indexOf, makeTask, makeThread, root, sender, sequence } from '../../test/support/kernel.ts';
import { nearestPartner, sameClan } from './clan.ts';
import { call } from './ipc.ts';
import { awaitMessage, callSlow, receive, reply } from './ipc-slow.ts';
import { freeThread } from './tcb.ts';

/**
 * root ── a ── a1 ── a11
 *      │    └─ a2
 *      └─ b ── b1
 */
function family() {
  const a = makeTask(root.id);
  const b = makeTask(root.id);
  const a1 = makeTask(a.id);
  const a2 = makeTask(a.id);
  const b1 = makeTask(b.id);
  const a11 = makeTask(a1.id);
  return { root, a, b, a1, a2, b1, a11 };
}

type Name = keyof ReturnType<typeof family>;

afterEach(assertSound);

test('CLN0010 the nearest partner of every pair', () => {
  const tasks = family();
  // A row for each sender: to whom a message to the task of the column is given.
  const names: Name[] = ['root', 'a', 'b', 'a1', 'a2', 'b1', 'a11'];
  const table: Record<Name, Name[]> = {
    root: ['root', 'a', 'b', 'a', 'a', 'b', 'a'],
    a: ['root', 'a', 'b', 'a1', 'a2', 'b', 'a1'],
    b: ['root', 'a', 'b', 'a', 'a', 'b1', 'a'],
    a1: ['a', 'a', 'a', 'a1', 'a2', 'a', 'a11'],
    a2: ['a', 'a', 'a', 'a1', 'a2', 'a', 'a1'],
    b1: ['b', 'b', 'b', 'b', 'b', 'b1', 'b'],
    a11: ['a1', 'a1', 'a1', 'a1', 'a1', 'a1', 'a11'],
  };
  for (const from of names) {
    const row = names.map((to) => {
      const nearest = nearestPartner(tasks[from].id, tasks[to].id);
      return names.find((name) => tasks[name].id === nearest);
    });
    assert.deepEqual(row, table[from], `from ${from}`);
  }
});

test('CLN0011 the compare of the fast path agrees with the routing, both ways', () => {
  const tasks = Object.values(family());
  for (const a of tasks) {
    for (const b of tasks) {
      const [x, y] = [makeThread({ of: a, window: false }), makeThread({ of: b, window: false })];
      const isDirect = nearestPartner(a.id, b.id) === b.id;
      assert.equal(sameClan(x, y), isDirect);
      assert.equal(sameClan(y, x), isDirect);
      for (const tcb of [x, y]) freeThread(tcb, indexOf(tcb));
    }
  }
});

for (const [path, callBy] of [
  ['fast path', call],
  ['slow path', callSlow],
] as const) {
  test(`CLN0020 same clan, chief to child and child to chief go straight, ${path}`, () => {
    const { a, a1, a2 } = family();
    for (const [from, to] of [
      [a1, a2],
      [a, a1],
      [a1, a],
    ] as const) {
      const [x, y] = [makeThread({ of: from }), makeThread({ of: to })];
      assert.equal(receive(y, 0, OPEN_ONLY), NOT_YET);
      assert.equal(callBy(x, idOf(y), ANY_INDEX, CALL, NEVER, OPEN_ONLY), NOT_YET);
      assert.equal(awaitMessage(y, NEVER, OPEN_ONLY), OK);
      assert.equal(reply(y, idOf(x), sequence(), REPLY), OK);
      assert.equal(awaitMessage(x, NEVER, OPEN_ONLY), OK);
    }
  });

  test(`CLN0021 across a border it is denied, unless the nearest chief inspects, ${path}`, () => {
    const { a, a1, b1 } = family();
    const [x, y, inspector] = [makeThread({ of: a1 }), makeThread({ of: b1 }), makeThread({ of: a })];
    assert.equal(receive(y, 0, OPEN_ONLY), NOT_YET);
    assert.equal(receive(inspector, 0, OPEN_ONLY), NOT_YET);
    assert.equal(callBy(x, idOf(y), ANY_INDEX, CALL, NEVER, OPEN_ONLY), DENIED);
    poke(a.task + TASK_INSPECTOR, idOf(inspector));
    assert.equal(callBy(x, idOf(y), ANY_INDEX, CALL, NEVER, OPEN_ONLY), NOT_YET);
    assert.equal(awaitMessage(inspector, NEVER, OPEN_ONLY), OK);
    assert.equal(sender(), idOf(x));
    assert.equal(reply(inspector, idOf(x), sequence(), REPLY), OK);
    assert.equal(awaitMessage(x, NEVER, OPEN_ONLY), OK);
    assert.equal(sender(), idOf(inspector));
    assert.equal(awaitMessage(y, NEVER, OPEN_ONLY), NOT_YET);
  });
}
