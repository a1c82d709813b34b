/**
 * How long a thread spins before it parks: a policy about the host's scheduler, with three rules.
 *
 *   - To spin for as long as a wakeup takes costs at most twice the best there is. A thread does that as long as it
 *     pays: a spin that meets its message earns credit, one in vain costs some.
 *   - Without credit nobody spins, not even shortly. On a crowded machine the partner waits for a core, and what a
 *     spinning thread burns counts against it when it is woken itself: a call is ten times dearer than two wakeups.
 *     Every so many waits one spins all the same.
 *   - Linux likes to wake a thread on the core of its waker. Two threads in dense conversation then take turns on one
 *     core, and for seconds: none of them is ever runnable for long enough to be moved. So after a number of brief
 *     sleeps in a row a thread keeps its core for some milliseconds; the other, runnable all that time, is moved to a
 *     free one. It has slept long then, which gives it credit for a new start.
 *
 * None of them holds where two threads share a core on purpose (handover.ts): there nobody spins.
 */
import { ANY_INDEX } from '../layout/params.ts';
import { wantsOwnCore } from './handover.ts';
import { spinLoads } from './spin-loads.ts';
import { performance } from './timers.ts';

/** A long spin is this many short ones, about 100 us. */
const LONG = 8;
const CREDIT_MAX = 16;
/** What a spin that has met its message earns. */
const EARNED = 2;
/** Without credit every so many waits spins all the same. */
const PROBE = 128;
/** A sleep of so long is none of a dense conversation. */
const LONG_SLEEP_ms = 1;
const CREDIT_NEW = 2;
/** What who has kept its core until the message came is given: the two may be apart now, or not. */
const CREDIT_APART = 6;
/** A sleep shorter than this was a wakeup and nothing else. */
const BRIEF_ms = 0.3;
const BRIEF_SLEEPS = 12;
/** The spin that lets the scheduler separate two threads: two of its ticks, about 8 ms. */
const SEPARATING = 600;
/** Time between two of them; doubled while they are in vain, for then there is no free core. */
const SEPARATING_PAUSE_MIN_ms = 20;
const SEPARATING_PAUSE_MAX_ms = 1280;

let credit = CREDIT_MAX;
let probes = 0;
let briefSleeps = 0;
let pause_ms = SEPARATING_PAUSE_MIN_ms;
let separatesAt_ms = 0;

/** Loads to spin in the fast path, before anything else is known of the wait. */
export let firstSpin: number = spinLoads;

function setCredit(value: number): void {
  credit = value;
  firstSpin = value > 0 ? spinLoads : 0;
}

/** Loads to spin in a wait for the thread with index `partner`, or ANY_INDEX. */
export function spinsFor(partner: number): number {
  if (wantsOwnCore !== null && wantsOwnCore(partner)) {
    briefSleeps = 0;
    return 0;
  }
  if (briefSleeps >= BRIEF_SLEEPS && separates()) return spinLoads * SEPARATING;
  probes = (probes + 1) % PROBE;
  if (credit === 0 && probes !== 0) return 0;
  return partner === ANY_INDEX ? spinLoads : spinLoads * LONG;
}

function separates(): boolean {
  const time_ms = performance.now();
  if (time_ms < separatesAt_ms) return false;
  briefSleeps = 0;
  separatesAt_ms = time_ms + pause_ms;
  pause_ms = Math.min(2 * pause_ms, SEPARATING_PAUSE_MAX_ms);
  return true;
}

/** Tells how a spin of `loads` ended: with the message, or in a park. */
export function learnSpin(loads: number, met: boolean): void {
  if (loads === 0) return;
  if (loads > spinLoads * LONG) {
    if (met) setCredit(Math.max(credit, CREDIT_APART));
    return;
  }
  setCredit(met ? Math.min(credit + EARNED, CREDIT_MAX) : Math.max(credit - 1, 0));
  if (credit === CREDIT_MAX) pause_ms = SEPARATING_PAUSE_MIN_ms;
}

/** Tells how long a thread has slept. */
export function learnSleep(slept_ms: number): void {
  briefSleeps = slept_ms < BRIEF_ms ? briefSleeps + 1 : 0;
  if (slept_ms >= LONG_SLEEP_ms && credit < CREDIT_NEW) setCredit(CREDIT_NEW);
}
