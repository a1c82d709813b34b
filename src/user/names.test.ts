/** Names of tasks: registered once, found while the task lives, cut between characters. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { load, peek, poke } from '../platform/atomics.ts';
import { HEADER_NAME_LOCK } from '../layout/map.ts';
import { TASK_DEAD, TASK_NAME_MAX, TASK_REGISTERED, TASK_STATE } from '../layout/task.ts';
import { assertSound, makeTask, root } from '../../test/support/kernel.ts';
import { findTask, liveTasks, nameOf, registerName, setName } from './names.ts';

afterEach(assertSound);

test('a registered name is found, and refused to another live task', () => {
  const [a, b] = [makeTask(root.id), makeTask(root.id)];
  assert.equal(registerName(a.task, 'größe 😀', 1), true);
  assert.equal(findTask('größe 😀'), a.task);
  assert.equal(registerName(b.task, 'größe 😀', 1), false);
  assert.equal(peek(b.task + TASK_REGISTERED), 0);
  assert.equal(load(HEADER_NAME_LOCK), 0);
});

test('the name of a dead task is free', () => {
  const [a, b] = [makeTask(root.id), makeTask(root.id)];
  registerName(a.task, 'store', 1);
  poke(a.task + TASK_STATE, TASK_DEAD);
  assert.equal(findTask('store'), null);
  assert.equal(registerName(b.task, 'store', 1), true);
});

test('a name that was only set is not found', () => {
  const a = makeTask(root.id);
  setName(a.task, 'quiet');
  assert.equal(nameOf(a.task), 'quiet');
  assert.equal(findTask('quiet'), null);
});

test('a name that is too long is refused when registered, and cut between characters when set', () => {
  const a = makeTask(root.id);
  const name = 'ä'.repeat(TASK_NAME_MAX);
  assert.throws(() => registerName(a.task, name, 1), RangeError);
  assert.equal(load(HEADER_NAME_LOCK), 0);
  setName(a.task, `x${name}`);
  assert.match(nameOf(a.task), /^xä+$/);
});

test('live tasks are those that neither ended nor died', () => {
  const [a, b] = [makeTask(root.id), makeTask(root.id)];
  poke(b.task + TASK_STATE, TASK_DEAD);
  assert.deepEqual(
    liveTasks().sort((x, y) => x - y),
    [root.task, a.task].sort((x, y) => x - y),
  );
});
