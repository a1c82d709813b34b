/** The policy of spinning, fed by hand, with a clock of its own. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { HEADER_TRIED } from '../layout/map.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { poke } from './atomics.ts';
import { now_ms, startClock } from './clock.ts';
import { spinLoads } from './spin-loads.ts';

type Patience = typeof import('./patience.ts');

const long = 8 * spinLoads;
const separating = 600 * spinLoads;
const skip = spinLoads === 0;

let time_ms = 0;
let copies = 0;
let patience: Patience;
let sent = 0;

beforeEach(async (t) => {
  (t as { mock: { method(target: object, name: string, made: () => number): void } }).mock.method(
    performance,
    'now',
    () => time_ms,
  );
  time_ms = 1_000_000;
  startClock();
  poke(HEADER_TRIED, 0);
  sent = 0;
  // A module for each test: the policy remembers.
  patience = (await import(`./patience.ts?${copies++}`)) as Patience;
});

/** A wait of thread `self`, and so many messages in so many milliseconds before the next one. */
function wait(each_ms: number, messages = 1, self = 1): number {
  const loads = patience.spinsFor(self, 2, sent);
  sent += messages;
  time_ms += each_ms * messages;
  return loads;
}

/** Waits until the answer is another one, at most so many times. */
function waitWhile(loads: number, each_ms: number, limit = 400): number {
  for (let count = 0; count < limit; count++) if (wait(each_ms) !== loads) return count;
  return limit;
}

const SLOW_ms = 0.18;
const PARKED_ms = 0.02;

test('PAT0001 who spins goes on while messages are quick, however many waits were long', { skip }, () => {
  for (let i = 0; i < 200; i++) assert.equal(wait(0.001, 100), long);
  assert.equal(patience.firstSpin, spinLoads);
  assert.equal(patience.spinsFor(1, ANY_INDEX, sent), long);
});

test('PAT0009 who waits for anybody after a new start spins shortly', { skip }, () => {
  assert.equal(patience.spinsFor(1, ANY_INDEX, sent), spinLoads);
  assert.equal(patience.spinsFor(1, 2, sent), long);
});

test('PAT0002 slow messages: parking is tried, and kept where it is quicker', { skip }, () => {
  assert.ok(waitWhile(long, SLOW_ms) < 200);
  assert.equal(patience.firstSpin, 0);
  // The first measurement of parking is followed by a try to get apart, and that by parking for a long time.
  assert.ok(waitWhile(0, PARKED_ms, 100) < 100);
  assert.ok(waitWhile(long, SLOW_ms) < 200);
  assert.equal(waitWhile(0, PARKED_ms, 200), 200);
});

test(
  'PAT0003 where parking is no better, spinning is kept, and parking tried again after some seconds',
  { skip },
  () => {
    waitWhile(long, SLOW_ms);
    assert.ok(waitWhile(0, 0.3) < 20);
    time_ms -= 0.3;
    let spins = 0;
    for (const until_ms = time_ms + 3900; time_ms < until_ms;) if (wait(SLOW_ms) !== 0) spins++;
    assert.ok(spins > 20_000);
    assert.ok(waitWhile(long, SLOW_ms, 5000) < 5000);
  },
);

test('PAT0004 the first spin of a try keeps the core for two ticks, and the next try comes later', { skip }, () => {
  waitWhile(long, SLOW_ms);
  const tries: number[] = [];
  for (const until_ms = time_ms + 10_000; time_ms < until_ms;) {
    const loads = patience.spinsFor(1, 2, sent++);
    if (loads === separating) tries.push(time_ms);
    time_ms += loads === separating ? 8 : loads === long ? SLOW_ms : PARKED_ms;
  }
  assert.ok(tries.length >= 4 && tries.length <= 12, `${tries.length} tries`);
  const pauses = tries.slice(1).map((at, i) => at - tries[i]!);
  assert.ok(pauses[0]! >= 100);
  assert.ok(pauses.every((pause, i) => i === 0 || pause >= pauses[i - 1]! * 0.9));
});

test('PAT0005 who got apart spins again', { skip }, () => {
  waitWhile(long, SLOW_ms);
  waitWhile(0, PARKED_ms, 100);
  for (let i = 0; i < 100; i++) assert.equal(wait(0.0004, 50), long);
});

test(
  'PAT0006 after a long sleep a conversation begins with a spin, but not where the core is known to be crowded',
  {
    skip,
  },
  () => {
    // Calls a millisecond apart: parking is as good, and leaves the core to others.
    waitWhile(long, 1.06);
    assert.equal(patience.firstSpin, 0);
    patience.learnSleep(0.05);
    assert.equal(patience.firstSpin, 0);
    patience.learnSleep(5);
    assert.equal(patience.firstSpin, spinLoads);
  },
);

test('PAT0007 a long sleep on a crowded core is no new start', { skip }, () => {
  waitWhile(long, SLOW_ms);
  waitWhile(0, PARKED_ms, 100);
  waitWhile(long, SLOW_ms);
  waitWhile(0, PARKED_ms, 100);
  patience.learnSleep(5);
  assert.equal(patience.firstSpin, 0);
});

test('PAT0008 of several threads one is measured, and another when that one waits no more', { skip }, () => {
  let count = 0;
  while (wait(SLOW_ms, 1, 1 + (count % 3)) === long && count < 999) count++;
  assert.ok(count > 100 && count < 300, `after ${count} waits`);
  // What the others send meanwhile is not what thread 1 is measured by.
  assert.ok(waitWhile(0, PARKED_ms, 100) < 100);
  wait(SLOW_ms);
  count = 0;
  while (wait(SLOW_ms, 1, 5) === long && count < 999) count++;
  assert.ok(count > 80 && count < 200, `after ${count} waits`);
});

test('PAT0010 one preemption is no crowd', { skip }, () => {
  for (let i = 0; i < 400; i++) assert.equal(wait(i % 8 === 0 ? 1 : 0.001, i % 8 === 0 ? 5 : 500), long);
});

test('PAT0011 a try that another agent has announced is joined once, and without keeping the core', { skip }, () => {
  waitWhile(long, SLOW_ms);
  poke(HEADER_TRIED, now_ms());
  assert.equal(wait(PARKED_ms), long);
  assert.ok(waitWhile(long, SLOW_ms) < 100);
  for (let i = 0; i < 40; i++) assert.equal(wait(PARKED_ms), 0);
});

test('PAT0012 an announcement of long ago is not joined', { skip }, () => {
  waitWhile(long, SLOW_ms);
  poke(HEADER_TRIED, now_ms());
  time_ms += 60;
  assert.equal(wait(PARKED_ms), 0);
});
