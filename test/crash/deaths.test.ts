/**
 * Every way for a task to end, for every way to have called it: the caller gets the error that says what happened, and
 * the system goes on. The times are printed; docs/faults.md has those of many runs.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { boot, type System, type Task } from '../../src/index.ts';
import { assertNothingLeft, guard } from '../conformance/support.ts';
import { beStillborn, CALLERS, DEATHS, die, dieCalling, type Measured, STILLBIRTHS } from './cases.ts';

const survivor = new URL('./fixtures/victim.ts', import.meta.url);

let system: System;
let other: Task;

before(async () => {
  system = await boot();
  other = await system.spawn(survivor, { name: 'survivor' });
});

after(() =>
  guard('nothing is left', async () => {
    const names = system.tasks().map(({ name }) => name);
    assert.deepEqual(names.sort(), ['main', 'supervisor', 'survivor']);
    await system.shutdown();
    assertNothingLeft();
  }),
);

/** All in one system, which has another task that must not notice. */
function deathTest(title: string, run: () => Promise<Measured>): void {
  void test(title, (t) =>
    guard(title, async () => {
      const { ms } = await run();
      t.diagnostic(`${ms.toFixed(2)} ms`);
      assert.equal(other.sync['add']!(1, 2), 3);
      assert.equal(await other.async['add']!(1, 2), 3);
    }),
  );
}

for (const birth of STILLBIRTHS) {
  for (const caller of CALLERS) {
    deathTest(`${birth.title}, spawned by ${caller}`, () => beStillborn(system, birth, caller));
  }
}
for (const death of DEATHS) {
  for (const caller of death.callers ?? CALLERS) {
    deathTest(`${death.title}, called by ${caller}`, () => die(system, death, caller));
  }
}
for (const caller of ['worker .sync', 'worker .async'] as const) {
  deathTest(`a ${caller} caller is killed while its callee works`, () => dieCalling(system, caller));
}
