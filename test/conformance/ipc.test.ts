/** The low-level conformance suite: each behaviour of ipc-behaviours.ts for each kind of ipc-kinds.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boot } from '../../src/index.ts';
import * as ipc from '../../src/user/ipc.ts';
import { TAG_FORMAT_SHIFT } from '../../src/layout/message.ts';
import { behaviours } from './ipc-behaviours.ts';
import { kinds, type Pair, servingKinds } from './ipc-kinds.ts';
import { assertNothingLeft, guard, systemTest } from './support.ts';

for (const kind of kinds) {
  void test(`low-level ipc: ${kind.name}`, async (t) => {
    const system = await boot();
    let pair: Pair | null = null;
    for (const { id, title, except, run } of behaviours) {
      const reason = except?.(kind) ?? null;
      const name = `${id} ${kind.name}: ${title}`;
      await t.test(name, { skip: reason === null ? false : `does not apply: ${reason}` }, () =>
        guard(name, async () => {
          // After a failure the two may be in the middle of something.
          const mine = pair ?? (await kind.open(system));
          pair = null;
          await run(mine, kind);
          pair = mine;
        }),
      );
    }
    await system.shutdown();
    assertNothingLeft();
  });
}

const limit_ms = 5000;
/** The message words are arguments, numbers: what a stub would send. */
const NUMBERS = 1 << TAG_FORMAT_SHIFT;

for (const kind of servingKinds) {
  systemTest(
    `CNF0070 ${kind.name}: a low-level call is served as a call of numbers, with 0 to 16 words`,
    async (system) => {
      const { id, words } = await kind.open(system);
      for (const count of words < 0 ? Array.from({ length: 17 }, (_, i) => i) : [words]) {
        for (let i = 0; i < count; i++) ipc.message[i] = i + 0.5;
        assert.equal(ipc.call(id as ipc.ThreadId, ipc.makeTag(count, 0, 1) | NUMBERS, limit_ms, limit_ms), ipc.OK);
        assert.equal(ipc.sender(), id);
        assert.equal(ipc.message[0], (count * count) / 2);
      }
    },
  );

  systemTest(`CNF0071 ${kind.name}: a thread that has ended is told from one that never was`, async (system) => {
    const { id, kill } = await kind.open(system);
    const call = (to: number): ipc.Result => ipc.call(to as ipc.ThreadId, ipc.makeTag(0, 0, 1), limit_ms, limit_ms);
    assert.equal(call(id + (5 << 16)), ipc.NO_SUCH_THREAD);
    await kill();
    assert.equal(call(id), ipc.NOT_TAKEN);
    assert.equal(ipc.send(id as ipc.ThreadId, ipc.makeTag(0), limit_ms), ipc.NOT_TAKEN);
    assert.equal(ipc.receive(id as ipc.ThreadId, limit_ms), ipc.PEER_GONE);
  });
}
