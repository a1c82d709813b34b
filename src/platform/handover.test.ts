/** The rules of when a server follows, fed by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_HANDOVER } from '../layout/map.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { PROCESSOR_CORE, processorAt } from '../layout/task.ts';
import { TCB_BELL, tcbOf } from '../layout/tcb.ts';
import { peek, poke } from './atomics.ts';
import { isSparse, leaveHandover, mayFollow, sayCore, setHandover, wantsOwnCore } from './handover.ts';

const own = processorAt(1);
const noted: string[] = [];
setHandover(true, own, (why) => noted.push(why));
const skip = peek(HEADER_HANDOVER) === 0 && `no hand-over here: ${noted.join() || 'one core only'}`;

/** Callers and answers that no other test has used: the rules remember. */
let nextCaller = 100;
let answers = 0;
const calls = (from: number, between: number): boolean => mayFollow(from, (answers += between));
const settle = (): void => {
  const end_ms = performance.now() + 12;
  while (performance.now() < end_ms);
};

test('the third call in a row of one caller that found the server asleep is followed', { skip }, () => {
  const from = nextCaller++;
  calls(from, 1);
  settle();
  assert.equal(calls(from, 1), false);
  assert.equal(calls(from, 47), true);
  assert.equal(calls(from, 1), true);
});

test('calls in between, when they are many, begin the count anew', { skip }, () => {
  const from = nextCaller++;
  calls(from, 1);
  settle();
  calls(from, 1);
  assert.equal(calls(from, 48), false);
  assert.equal(calls(from, 1), false);
  assert.equal(calls(from, 1), true);
});

test('another caller begins the count anew, and for 10 ms nobody is followed', { skip }, () => {
  const from = nextCaller++;
  for (let i = 0; i < 3; i++) calls(from, 1);
  calls(nextCaller++, 1);
  for (let i = 0; i < 5; i++) assert.equal(calls(from, 1), false);
  settle();
  assert.equal(calls(from, 1), true);
});

test('a caller that an event loop runs is not followed', { skip }, () => {
  const from = nextCaller++;
  poke(tcbOf(from) + TCB_BELL, 1);
  calls(from, 1);
  settle();
  for (let i = 0; i < 5; i++) assert.equal(calls(from, 1), false);
  poke(tcbOf(from) + TCB_BELL, 0);
  assert.equal(calls(from, 1), true);
});

/** Nothing has been answered since long, so that these times are those since the last answer: 40 us, and a second. */
const DENSE_ms = 0.04;
const SPARSE_ms = 1000;

test('dense calls end it when their switches have taken 100 us, fewer do not', { skip }, () => {
  const from = nextCaller++;
  calls(from, 1);
  settle();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 2; i++) assert.equal(isSparse(from, DENSE_ms), true);
    assert.equal(isSparse(from, SPARSE_ms), true);
  }
  for (let i = 0; i < 2; i++) assert.equal(isSparse(from, DENSE_ms), true);
  assert.equal(isSparse(from, DENSE_ms), false);
});

test('each time that dense calls end it, it takes twice as many calls to begin again', { skip }, () => {
  const from = nextCaller++;
  calls(from, 1);
  settle();
  for (const wanted of [3, 6, 12]) {
    let count = 1;
    while (!calls(from, 1)) count++;
    assert.equal(count + (wanted === 3 ? 1 : 0), wanted);
    while (isSparse(from, DENSE_ms));
  }
  for (let i = 0; i < 24; i++) isSparse(from, SPARSE_ms);
  assert.equal(calls(from, 1), false);
  assert.equal(calls(from, 1), false);
  assert.equal(calls(from, 1), true, 'sparse calls make it forget');
});

test('another caller ends it at once', { skip }, () => {
  const from = nextCaller++;
  for (let i = 0; i < 3; i++) calls(from, 1);
  assert.equal(isSparse(nextCaller++, performance.now()), false);
});

test('who is not bound, and waits for nobody that is, may spin; the core is said', { skip }, () => {
  assert.equal(wantsOwnCore!(ANY_INDEX), false);
  assert.equal(wantsOwnCore!(7), false);
  assert.equal(peek(own + PROCESSOR_CORE), 0);
  sayCore!();
  assert.ok(peek(own + PROCESSOR_CORE) > 0);
});

test('out of a system, and where it is off, nobody is followed', () => {
  leaveHandover();
  assert.equal(sayCore, null);
  assert.equal(wantsOwnCore, null);
  const from = nextCaller++;
  for (let i = 0; i < 5; i++) assert.equal(calls(from, 1), false);
  setHandover(false, own, assert.fail);
  assert.equal(peek(HEADER_HANDOVER), 0);
  assert.equal(sayCore, null);
});
