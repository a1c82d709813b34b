/**
 * How long a thread spins before it parks: a policy about the host's scheduler, with three rules.
 *
 *   - To spin for as long as a wakeup takes costs at most twice the best there is. Waits for an answer do that, as long
 *     as it pays: each long spin that meets its answer earns a credit, each in vain costs one.
 *   - Who has just woken its partner cannot be answered before the wakeup is over, and spins as long.
 *   - Linux likes to wake a thread on the core of its waker. Two threads in dense conversation then take turns on one
 *     core, each spinning where the other should run, a hundred times slower than on two, and for seconds: none of them
 *     is ever runnable for long enough to be moved. So after a number of brief sleeps in a row a thread keeps its core
 *     for some milliseconds; the other, runnable all that time, is moved to a free one.
 *
 * None of them holds where two threads share a core on purpose (handover.ts): there nobody spins.
 */
import { ANY_INDEX } from '../layout/params.ts';
import { wantsOwnCore } from './handover.ts';
import { spinLoads } from './spin-loads.ts';

/** A long spin is this many short ones, about 100 us. */
const LONG = 8;
const CREDIT_MAX = 16;
/** Without credit every so many waits tries a long spin all the same. */
const PROBE = 8;
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

/** Loads to spin in a wait for the thread with index `partner`, or ANY_INDEX; `woke` when it has just been woken. */
export function spinsFor(partner: number, woke: boolean): number {
  if (wantsOwnCore !== null && wantsOwnCore(partner)) {
    briefSleeps = 0;
    return 0;
  }
  if (briefSleeps >= BRIEF_SLEEPS && separates()) return spinLoads * SEPARATING;
  if (partner === ANY_INDEX) return spinLoads;
  probes = (probes + 1) % PROBE;
  return woke || credit > 0 || probes === 0 ? spinLoads * LONG : spinLoads;
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
  if (loads <= spinLoads) return;
  if (loads > spinLoads * LONG) {
    if (met) pause_ms = SEPARATING_PAUSE_MIN_ms;
  } else if (met) credit = Math.min(credit + 1, CREDIT_MAX);
  else if (credit > 0) credit--;
}

/** Tells how long a thread has slept. */
export function learnSleep(slept_ms: number): void {
  briefSleeps = slept_ms < BRIEF_ms ? briefSleeps + 1 : 0;
}
