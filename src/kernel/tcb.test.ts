/** Making and unmaking threads and tasks: limits, generations, late reuse, and nothing left in a record. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { peek, poke } from '../platform/atomics.ts';
import { layoutHash } from '../layout/describe.ts';
import { HEADER_HASH } from '../layout/map.ts';
import { PEER_GONE } from '../layout/message.ts';
import { GENERATION_MASK, INDEX_MASK } from '../layout/params.ts';
import { TASK_CHIEF, TASK_DEPTH, TASK_KIND_WORKER } from '../layout/task.ts';
import {
  generationOf,
  running,
  TCB_ID,
  TCB_PROCESSOR,
  TCB_STATE,
  TCB_TAKEN,
  TCB_TASK,
  TCB_WORDS,
  tcbOf,
  threadIdOf,
  type Tcb,
} from '../layout/tcb.ts';
import { assertSound, idOf, indexOf, makeTask, makeThread, root, TASKS, THREADS } from '../../test/support/kernel.ts';
import { countTasks, countThreads } from '../../test/support/records.ts';
import { checkThread } from './ipc-slow.ts';
import { createTask, createThread, freeTask, freeThread, isFormatted } from './tcb.ts';

afterEach(assertSound);

test('TCB0010 a thread is born running, with an id of its own', () => {
  const [a, b] = [makeThread(), makeThread()];
  assert.notEqual(idOf(a), idOf(b));
  assert.ok(idOf(a) > 0);
  assert.equal(tcbOf(idOf(a)), a);
  assert.equal(peek(a + TCB_STATE), running(idOf(a)));
});

test('TCB0011 the last thread is refused with 0, and one that ends makes room', () => {
  const threads: Tcb[] = [];
  for (let id = createThread(root.task, root.processor, false); id !== 0;) {
    threads.push(tcbOf(id));
    id = createThread(root.task, root.processor, false);
  }
  assert.equal(threads.length, THREADS);
  assert.equal(countThreads(), THREADS);
  freeThread(threads[3]!, 1);
  assert.notEqual(createThread(root.task, root.processor, false), 0);
  assert.equal(createThread(root.task, root.processor, false), 0);
});

test('TCB0012 the last task is refused with 0, and one that ends makes room', () => {
  const tasks = Array.from({ length: TASKS - 1 }, () => makeTask(root.id));
  assert.equal(createTask(root.id, TASK_KIND_WORKER, 0), 0);
  assert.equal(countTasks(), TASKS);
  freeTask(tasks[5]!.task);
  const id = createTask(root.id, TASK_KIND_WORKER, 0);
  assert.equal(id & INDEX_MASK, tasks[5]!.id & INDEX_MASK);
  assert.notEqual(id, tasks[5]!.id);
});

test('TCB0013 however many threads came and went, each has a record that repair and verify see', () => {
  const keeper = makeThread();
  for (let round = 0; round < 5 * THREADS; round++) {
    const tcb = makeThread({ window: false });
    assert.ok(indexOf(tcb) <= THREADS);
    freeThread(tcb, indexOf(keeper));
  }
});

test('TCB0014 a record is used again as late as possible, in the next generation', () => {
  const keeper = makeThread();
  const first = makeThread();
  const id = idOf(first);
  freeThread(first, indexOf(keeper));
  for (let round = 0; round < THREADS; round++) {
    const next = createThread(root.task, root.processor, false);
    freeThread(tcbOf(next), indexOf(keeper));
    if (tcbOf(next) !== first) continue;
    assert.ok(round >= THREADS - 3);
    assert.equal(generationOf(next), generationOf(id) + 1);
    assert.equal(checkThread(id), PEER_GONE);
    return;
  }
  assert.fail('the record was not used again');
});

test('TCB0015 generations wrap to 1, never to an id that may be 0', () => {
  const keeper = makeThread();
  const tcb = makeThread();
  const index = indexOf(tcb);
  freeThread(tcb, indexOf(keeper));
  poke(tcb + TCB_ID, threadIdOf(index, GENERATION_MASK));
  for (;;) {
    const next = createThread(root.task, root.processor, false);
    const isSame = tcbOf(next) === tcb;
    if (isSame) assert.equal(next, threadIdOf(index, 1));
    freeThread(tcbOf(next), indexOf(keeper));
    if (isSame) return;
  }
});

test('TCB0016 nothing is left in the record of a freed thread but its identity', () => {
  const [keeper, tcb] = [makeThread(), makeThread()];
  const id = idOf(tcb);
  for (let i = 4; i < 80; i++) poke(tcb + i, -1);
  freeThread(tcb, indexOf(keeper));
  const left = Array.from({ length: TCB_WORDS }, (_, i) => i).filter((i) => peek(tcb + i) !== 0);
  assert.deepEqual(left, [TCB_ID, TCB_TASK, TCB_PROCESSOR]);
  assert.equal(peek(tcb + TCB_ID), id);
  assert.equal(peek(tcb + TCB_TAKEN), 0);
});

test('TCB0017 a task knows its chief and its depth', () => {
  const child = makeTask(root.id);
  const grandchild = makeTask(child.id);
  assert.equal(peek(grandchild.task + TASK_CHIEF), child.id);
  assert.deepEqual(
    [root, child, grandchild].map(({ task }) => peek(task + TASK_DEPTH)),
    [0, 1, 2],
  );
});

test('TCB0018 memory of another layout is refused', () => {
  assert.equal(isFormatted(layoutHash()), true);
  assert.equal(isFormatted(layoutHash() + 1), false);
  poke(HEADER_HASH, 0);
  assert.equal(isFormatted(layoutHash()), false);
  poke(HEADER_HASH, layoutHash());
});
