/** Labels of tasks, and which tasks live. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { poke } from '../platform/atomics.ts';
import { TASK_DEAD, TASK_NAME_MAX, TASK_STATE } from '../layout/task.ts';
import { assertSound, makeTask, root } from '../../test/support/kernel.ts';
import { liveTasks, nameOf, setName } from './names.ts';

afterEach(assertSound);

test('a label that is too long is cut between characters', () => {
  const a = makeTask(root.id);
  setName(a.task, 'größe 😀');
  assert.equal(nameOf(a.task), 'größe 😀');
  setName(a.task, `x${'ä'.repeat(TASK_NAME_MAX)}`);
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
