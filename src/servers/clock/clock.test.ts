/** The clock: exact sleeps without work for it, ticks in an open receive, and nothing when nobody waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as clock from './api.ts';
import { Wheel } from './wheel.ts';
import * as ipc from '../../user/ipc.ts';
import { peek } from '../../platform/atomics.ts';
import { TASK_KIND, TASK_KIND_SUPERVISOR, TASK_SERVER } from '../../layout/task.ts';
import { TCB_SENT, tcbOf } from '../../layout/tcb.ts';
import { WAKEUP_LISTS } from '../../layout/params.ts';
import { liveTasks } from '../../user/names.ts';
import { fixture, guarded, sleep, systemTest } from '../../../test/conformance/support.ts';

type Clocked = typeof import('../../../test/conformance/fixtures/clocked.ts');

/** Messages that the clock has sent. */
function sentByClock(): number {
  const supervisor = liveTasks().find((task) => peek(task + TASK_KIND) === TASK_KIND_SUPERVISOR)!;
  return peek(tcbOf(peek(supervisor + TASK_SERVER)) + TCB_SENT);
}

guarded('outside of a system every function says so', () => {
  assert.throws(() => clock.sleep(1), /belongs to no system/);
  assert.throws(() => clock.setTick(1), /belongs to no system/);
});

systemTest('a sleep ends at its time, before there is a supervisor too', () => {
  for (const time_ms of [0, 1, 30]) {
    const began_ms = performance.now();
    assert.equal(clock.sleep(time_ms), true);
    assert.ok(performance.now() - began_ms >= time_ms - 1);
  }
  assert.throws(() => clock.setTick(5), /first worker/);
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => clock.sleep(bad), RangeError);
  for (const bad of [-1, 0.5, Number.NaN]) assert.throws(() => clock.setTick(bad), RangeError);
});

systemTest('sleepers do not occupy the clock, and are cancelled', async (system) => {
  const worker = await system.spawn<Clocked>(fixture('clocked.ts'));
  const thread = worker.sync.thread() as ipc.ThreadId;
  const sent = sentByClock();
  assert.ok(worker.sync.sleep(30) >= 29);
  assert.equal(sentByClock(), sent);
  const cancelled = worker.async.sleep(10_000);
  while (!system.cancel(thread)) await sleep(5);
  assert.equal(await cancelled, -1);
});

systemTest('ticks come to a thread that waits in place, and missed ones are counted', async (system) => {
  const worker = await system.spawn<Clocked>(fixture('clocked.ts'));
  const regular = worker.sync.take(20, 5);
  assert.ok(regular.took_ms >= 99, `${regular.took_ms} ms`);
  const late = worker.sync.take(10, 3, 100);
  // The first tick, those that went by in 100 ms, and one more.
  assert.ok(late.periods[1]! >= 9, late.periods.join());
  const sent = sentByClock();
  await sleep(50);
  assert.equal(sentByClock(), sent);
});

systemTest('who ends with a tick set is forgotten, and a string to the clock is nothing', async (system) => {
  const worker = await system.spawn<Clocked>(fixture('clocked.ts'));
  const other = await system.spawn<Clocked>(fixture('clocked.ts'));
  worker.sync.want(5);
  await worker.kill();
  await sleep(30);
  assert.equal(other.sync.take(5, 2).periods.length, 2);
  const supervisor = system.tasks().find(({ kind }) => kind === 'supervisor')!;
  ipc.setString(0, new Uint8Array(3 << 20));
  assert.equal(ipc.call(supervisor.id, ipc.makeTag(1, 1, 1), 5000, 5000), ipc.OK);
  assert.equal(ipc.call(supervisor.id, ipc.makeTag(0, 0, 77), 5000, 5000), ipc.OK);
  const refused = await new Promise<boolean>((resolve) => {
    ipc.startThread(function* () {
      ipc.message[0] = 5;
      yield ipc.operation.call(supervisor.id, ipc.makeTag(1, 0, 1));
      resolve(ipc.wordsIn(ipc.tag()) === 0 && ipc.tag() !== 0);
    });
  });
  assert.ok(refused);
});

void test('a wheel gives what is due, and looks at k/n a tick', () => {
  const wheel = new Wheel<{ due_ms: number }>();
  const entries = Array.from({ length: 1600 }, (_, i) => ({ due_ms: 1001 + i }));
  for (const entry of entries) wheel.add(entry);
  let looks = wheel.inspected;
  for (let time_ms = 1001; time_ms < 1101; time_ms++) {
    assert.deepEqual(wheel.take(time_ms - 1, time_ms), [entries[time_ms - 1001]]);
    assert.ok(wheel.inspected - looks <= 1600 / WAKEUP_LISTS);
    looks = wheel.inspected;
    assert.equal(wheel.next(time_ms), time_ms + 1);
    assert.ok(wheel.inspected - looks <= 1600 / WAKEUP_LISTS);
    looks = wheel.inspected;
  }
  assert.equal(wheel.take(1100, 5000).length, 1500);
  assert.equal(wheel.next(5000), Number.POSITIVE_INFINITY);
});
