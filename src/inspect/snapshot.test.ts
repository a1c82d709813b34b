/** Kernel memory as objects: every state that a thread can be in, made by hand, and what a torn record gives. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { poke, store } from '../platform/atomics.ts';
import { CALL, REPLY, TAG_FLAG, TAG_METHOD_SHIFT } from '../layout/message.ts';
import {
  TASK_CALLER,
  TASK_DEAD,
  TASK_EXIT_CODE,
  TASK_NAME_BYTES,
  TASK_NAME_MAX,
  TASK_ORIGIN,
  TASK_RESTARTS,
  TASK_SERVER,
  TASK_SPARE,
  TASK_STATE,
} from '../layout/task.ts';
import {
  DEAD,
  homeWaiting,
  locked,
  open,
  PARKED,
  polling,
  running,
  TCB_BELL,
  TCB_BYTES,
  TCB_PARKS,
  TCB_SENT,
  TCB_SEQUENCE,
  TCB_SINCE,
  TCB_STATE,
  TCB_TAG,
  type Tcb,
  waiting,
} from '../layout/tcb.ts';
import { now_ms } from '../platform/clock.ts';
import { setReason } from '../user/incarnations.ts';
import { setName } from '../user/names.ts';
import { freeAll, idOf, makeTask, makeThread, root, TASKS, THREADS } from '../../test/support/kernel.ts';
import { takeSnapshot, type TaskView, type ThreadView } from './snapshot.ts';

afterEach(freeAll);

const method = (number: number): number => number << TAG_METHOD_SHIFT;

function viewOf(tcb: Tcb): ThreadView {
  const view = takeSnapshot().threads.find(({ id }) => id === idOf(tcb));
  assert.ok(view !== undefined);
  return view;
}

test('a thread that runs, receives, is written to, or has ended', () => {
  const [a, b] = [makeThread(), makeThread()];
  const state = (word: number): object => {
    store(a + TCB_STATE, word);
    const { state: name, parked, inPlace, partner, method: number, since_ms } = viewOf(a);
    return { name, parked, inPlace, partner, number, since_ms };
  };
  const nothing = { parked: false, inPlace: false, partner: null, number: null, since_ms: null };
  assert.deepEqual(state(running(idOf(a))), { name: 'running', ...nothing });
  assert.deepEqual(state(open(idOf(a))), { name: 'receiving', ...nothing });
  assert.deepEqual(state(locked(idOf(a), idOf(b))), { name: 'locked', ...nothing, partner: idOf(b) });
  assert.deepEqual(state(DEAD), { name: 'dead', ...nothing });
  assert.deepEqual(state(homeWaiting(idOf(a), idOf(b))), { name: 'waiting', ...nothing, partner: idOf(b) });
});

test('a thread that waits in place says for whom, for which method, and since when', () => {
  const [a, b] = [makeThread(), makeThread()];
  store(a + TCB_STATE, waiting(idOf(a), idOf(b)) | PARKED);
  poke(a + TCB_TAG, CALL | method(7));
  poke(a + TCB_SEQUENCE, 41);
  poke(a + TCB_SINCE, now_ms() - 5000);
  const view = viewOf(a);
  assert.deepEqual([view.state, view.parked, view.inPlace], ['waiting', true, true]);
  assert.deepEqual([view.partner, view.method, view.sequence], [idOf(b), 7, 41]);
  assert.ok(view.since_ms! >= 5000 && view.since_ms! < 15_000);
  poke(a + TCB_TAG, CALL | TAG_FLAG | method(7));
  assert.equal(viewOf(a).method, null, 'a callback has no method');
  poke(a + TCB_TAG, REPLY | method(7));
  assert.equal(viewOf(a).method, null, 'what lies in the line is not its own call');
});

test('a polling thread, and one that a loop watches, do not block their agent', () => {
  const [a, b] = [makeThread(), makeThread()];
  store(a + TCB_STATE, polling(idOf(a), idOf(b)));
  poke(a + TCB_TAG, CALL | method(2));
  // Of a time that cannot be 0, which is none.
  poke(a + TCB_SINCE, -50);
  const view = viewOf(a);
  assert.deepEqual([view.state, view.partner, view.method, view.inPlace], ['polling', idOf(b), 2, false]);
  assert.ok(view.since_ms! >= 50);
  store(a + TCB_STATE, waiting(idOf(a), idOf(b)) | PARKED);
  poke(a + TCB_BELL, 1);
  assert.equal(viewOf(a).inPlace, false);
});

test('roles, totals and counters', () => {
  const other = makeTask(root.id);
  const [server, caller] = [makeThread({ of: other }), makeThread({ of: other })];
  const [call, local] = [makeThread({ of: other }), makeThread({ of: other, home: true })];
  poke(other.task + TASK_SERVER, idOf(server));
  poke(other.task + TASK_CALLER, idOf(caller));
  assert.deepEqual(
    [server, caller, call, local].map((tcb) => viewOf(tcb).role),
    ['server', 'caller', 'call', 'local'],
  );
  poke(call + TCB_SENT, -1);
  poke(call + TCB_BYTES, 12);
  poke(call + TCB_PARKS, 3);
  const { sent, bytes, parks, task, since_ms } = viewOf(call);
  assert.deepEqual([sent, bytes, parks, task, since_ms], [2 ** 32 - 1, 12, 3, other.id, null]);
  const { totals } = takeSnapshot();
  assert.deepEqual(totals, { tasks: 2, tasks_max: TASKS, threads: 4, threads_max: THREADS, beat: 0 });
});

test('tasks with their names, chiefs and exit codes', () => {
  const other = makeTask(root.id);
  setName(other.task, 'größe 😀');
  const taskView = (): TaskView => takeSnapshot().tasks.find(({ id }) => id === other.id)!;
  assert.deepEqual(taskView(), {
    id: other.id,
    name: 'größe 😀',
    kind: 'worker',
    state: 'alive',
    chief: root.id,
    server: null,
    processor: other.id & 0xffff,
    origin: other.id,
    restarts: 0,
    exitCode: null,
    reason: '',
  });
  store(other.task + TASK_STATE, TASK_SPARE);
  poke(other.task + TASK_RESTARTS, -1);
  assert.deepEqual([taskView().state, taskView().restarts], ['spare', 0]);
  store(other.task + TASK_STATE, TASK_DEAD);
  poke(other.task + TASK_EXIT_CODE, 7);
  poke(other.task + TASK_RESTARTS, 2);
  poke(other.task + TASK_ORIGIN, 65_999);
  setReason(other.task, 'out of memory');
  const { restarts, origin: first, reason } = taskView();
  assert.deepEqual([restarts, first, reason], [2, 65_999, 'out of memory']);
  assert.deepEqual(
    takeSnapshot().tasks.map(({ state, exitCode }) => [state, exitCode]),
    [
      ['alive', null],
      ['dead', 7],
    ],
  );
});

test('a length and a state that make no sense are read as they are and lead nowhere', () => {
  const other = makeTask(root.id);
  const a = makeThread({ of: other });
  poke(other.task + TASK_NAME_BYTES, 1 << 30);
  store(a + TCB_STATE, 7 << 29);
  const { tasks, threads } = takeSnapshot();
  assert.ok(tasks.find(({ id }) => id === other.id)!.name.length <= TASK_NAME_MAX);
  assert.equal(threads.length, 1);
  poke(other.task + TASK_NAME_BYTES, -1);
  assert.equal(takeSnapshot().tasks.find(({ id }) => id === other.id)!.name, '');
});
