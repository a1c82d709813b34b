/** The relations between the limits, and the numbers that others write down. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TAG_FORMAT, TAG_FLAG, TAG_KIND, TAG_METHOD_SHIFT, TAG_STRINGS, TAG_WORDS, METHOD_MAX } from './message.ts';
import * as params from './params.ts';
import { PROCESSOR_BASE, TASK_BASE, WINDOWS_BASE } from './task.ts';
import { TCB_BASE, TCB_WORDS } from './tcb.ts';
import { HEADER_WORDS, RING_BASE, RING_SLOTS, RING_WORDS } from './map.ts';

test('the limits do not contradict each other', () => {
  assert.doesNotThrow(params.checkParams);
});

test('the magic is its name in ASCII', () => {
  const characters = [24, 16, 8, 0].map((shift) => String.fromCharCode((params.MAGIC >> shift) & 0xff));
  assert.equal(characters.join(''), 'l3k1');
});

test('the tables lie behind each other, on cache lines, below the end of memory', () => {
  assert.ok(HEADER_WORDS <= RING_BASE && RING_BASE + RING_SLOTS * RING_WORDS <= TCB_BASE);
  assert.ok(TASK_BASE === TCB_BASE + params.THREADS_VIRTUAL * TCB_WORDS);
  assert.ok(PROCESSOR_BASE > TASK_BASE && WINDOWS_BASE > PROCESSOR_BASE);
  for (const base of [TCB_BASE, TASK_BASE, PROCESSOR_BASE, TCB_WORDS]) assert.equal(base % 16, 0);
  assert.ok(WINDOWS_BASE * 4 + params.WINDOW_BYTES < params.MEMORY_BYTES);
});

test('the fields of a tag are disjoint and leave it positive', () => {
  const fields = [TAG_WORDS, TAG_STRINGS, TAG_KIND, TAG_FORMAT, TAG_FLAG, METHOD_MAX << TAG_METHOD_SHIFT];
  assert.equal(
    fields.reduce((all, field) => all + field, 0),
    fields.reduce((all, field) => all | field, 0),
  );
  assert.equal(
    fields.reduce((all, field) => all | field, 0),
    0x7fffffff,
  );
});
