/** The thread control block: no overlap, every field described, each writer on lines of its own, states that differ. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fields, layoutHash } from './describe.ts';
import { ANY_INDEX, MESSAGE_WORDS, STRINGS_MAX, WAKEUP_LISTS, THREADS_VIRTUAL } from './params.ts';
import * as task from './task.ts';
import * as tcb from './tcb.ts';

const { tcb: tcbFields, task: taskFields, processor: processorFields, header: headerFields } = fields();

/** Words of the fields that are longer than one. */
const lengths: Record<string, number> = {
  TCB_WORD: 2 * MESSAGE_WORDS,
  TCB_STRING: STRINGS_MAX,
  TCB_ACCEPT: STRINGS_MAX,
  TASK_NAME: task.TASK_NAME_MAX / 4,
  PROCESSOR_INBOX: 4,
  PROCESSOR_WAKEUP: WAKEUP_LISTS + 1,
};

for (const [name, fields, words] of [
  ['tcb', tcbFields, tcb.TCB_WORDS],
  ['task record', taskFields, task.TASK_WORDS],
  ['processor record', processorFields, task.PROCESSOR_WORDS],
] as const) {
  test(`no two fields of the ${name} overlap`, () => {
    let end = 0;
    let last = '';
    for (const field of fields) {
      assert.ok(field.offset >= end, `${field.name} lies on ${last}`);
      end = field.offset + (lengths[field.name] ?? 1);
      last = field.name;
    }
    assert.ok(end <= words);
  });
}

test('no two fields of the header overlap', () => {
  assert.equal(new Set(headerFields.map(({ offset }) => offset)).size, headerFields.length);
});

test('every TCB constant is described', () => {
  const names = Object.keys(tcb).filter((name) => name.startsWith('TCB_') && !['TCB_BASE', 'TCB_WORDS'].includes(name));
  assert.deepEqual(tcbFields.map(({ name }) => name).sort(), names.sort());
});

test('writers that differ write lines of 64 bytes that differ', () => {
  const writers: Record<string, string[]> = {
    claimer: ['TCB_STATE', 'TCB_SENDER', 'TCB_TAG', 'TCB_SEQUENCE', 'TCB_WORD', 'TCB_STRING', 'TCB_CUT'],
    'sender of pieces': ['TCB_FILLED'],
    owner: ['TCB_DRAINED', 'TCB_TRANSFER', 'TCB_SENT', 'TCB_SINCE', 'TCB_PARKS', 'TCB_DEADLINE', 'TCB_ACCEPT'],
    'queue lock': ['TCB_QUEUE_LOCK', 'TCB_QUEUE_FIRST', 'TCB_QUEUE_LAST', 'TCB_QUEUE_TICKET'],
    links: ['TCB_POLL_NEXT', 'TCB_TICKET', 'TCB_READY_NEXT', 'TCB_WAKEUP_NEXT', 'TCB_PENDING'],
    maker: ['TCB_ID', 'TCB_TASK', 'TCB_CHIEF', 'TCB_PROCESSOR', 'TCB_WINDOW', 'TCB_TAKEN', 'TCB_HOME'],
  };
  const writerOf = new Map<number, string>();
  for (const [writer, names] of Object.entries(writers)) {
    for (const name of names) {
      const { offset } = tcbFields.find((field) => field.name === name)!;
      for (let word = offset; word < offset + (lengths[name] ?? 1); word++) {
        const line = word >> 4;
        assert.equal(writerOf.get(line) ?? writer, writer, `${name} lies on a line of the ${writerOf.get(line)}`);
        writerOf.set(line, writer);
      }
    }
  }
});

test('the hash differs when a field moves', () => {
  const hashOf = (fields: readonly { name: string; offset: number }[]): number =>
    fields.reduce((hash, { name, offset }) => (Math.imul(hash ^ offset, 0x01000193) + name.length) | 0, 1);
  const all = [...tcbFields, ...taskFields, ...processorFields, ...headerFields];
  assert.equal(hashOf(all), layoutHash());
  for (let i = 0; i < all.length; i++) {
    const moved = all.map((field, k) => (k === i ? { ...field, offset: field.offset + 1 } : field));
    assert.notEqual(hashOf(moved), layoutHash(), all[i]!.name);
  }
});

test('an id gives its index and generation back, and is positive', () => {
  for (const [index, generation] of [
    [1, 1],
    [65_534, 0x7fff],
    [300, 4096],
  ] as const) {
    const id = tcb.threadIdOf(index, generation);
    assert.ok(id > 0);
    assert.equal(tcb.generationOf(id), generation);
    assert.equal(tcb.indexOfTcb(tcb.tcbOf(id)), index);
    assert.equal(tcb.tcbOf(id), tcb.tcbAt(index));
  }
});

test('states of all kinds differ, carry the generation, and leave room for the parked bit', () => {
  const id = tcb.threadIdOf(5, 3);
  const states = [
    tcb.running(id),
    tcb.waiting(id, 9),
    tcb.open(id),
    tcb.locked(id, 9),
    tcb.polling(id, 9),
    tcb.homeWaiting(id, 9),
    tcb.homePolling(id, 9),
  ];
  assert.equal(new Set([tcb.DEAD, ...states]).size, states.length + 1);
  for (const state of states) {
    assert.equal(state & tcb.STATE_GENERATION, id & tcb.STATE_GENERATION);
    assert.equal(state & tcb.PARKED, 0);
  }
  assert.equal(tcb.waiting(id, ANY_INDEX), tcb.open(id));
  assert.ok(ANY_INDEX < THREADS_VIRTUAL);
});
