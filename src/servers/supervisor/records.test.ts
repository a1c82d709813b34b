/** Task records under the supervisor's hands. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { peek, poke } from '../../platform/atomics.ts';
import { INDEX_MASK } from '../../layout/params.ts';
import { TASK_FREE, TASK_KIND_WORKER, TASK_STARTING, TASK_STATE, taskAt } from '../../layout/task.ts';
import { createTask, freeTask } from '../../kernel/tcb.ts';
import { assertSound, makeTask, root } from '../../../test/support/kernel.ts';
import { freeUnwritten } from './records.ts';

afterEach(assertSound);

test('a record that a task was writing when it was ended is free again', () => {
  const chief = makeTask(root.id);
  const half = taskAt(createTask(chief.id, TASK_KIND_WORKER, 0) & INDEX_MASK);
  assert.equal(peek(half + TASK_STATE), TASK_STARTING);
  freeUnwritten(chief.id);
  assert.equal(peek(half + TASK_STATE), TASK_STARTING);
  freeTask(half);
  // As createTask leaves it before it has written anything.
  poke(half + TASK_STATE, ~chief.id);
  freeUnwritten(root.id);
  assert.equal(peek(half + TASK_STATE), ~chief.id);
  freeUnwritten(chief.id);
  assert.equal(peek(half + TASK_STATE), TASK_FREE);
});
