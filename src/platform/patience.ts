/**
 * How long a thread spins before it parks: a policy about the host's scheduler. An agent is in one of two modes, and
 * measures which is better: the time from one message that it sends to the next, over some waits.
 *
 *   - Spinning: a wait spins for as long as a wakeup takes, 100 us, before it parks. With a core for each side this is
 *     a hundred times quicker than any sleep, and costs at most twice the best there is.
 *   - Parking: nobody spins, not even shortly. On a crowded machine the partner waits for a core, perhaps for this very
 *     one, and what a spinning thread burns counts against it when it is woken itself: a call that spins is ten times
 *     dearer there than two wakeups. A spin in vain is no sign of it, as half of them meet their message all the same.
 *
 * Who spins tries parking when its messages take longer than a wakeup does. Who parks tries spinning now and then, and
 * less often each time that it is in vain. First it keeps its core for some milliseconds: Linux likes to wake a thread
 * on the core of its waker, and two threads in dense conversation then take turns on one core for seconds, as none of
 * them is ever runnable for long enough to be moved. The other, runnable all that time, is moved to a free core if
 * there is one. A try takes both sides, for to spin beside a partner that parks is worse than anything: so it is
 * announced in kernel memory, and all who park join it. After a long sleep a conversation begins anew, with a spin.
 *
 * None of this holds where two threads share a core on purpose (handover.ts): there nobody spins.
 */
import { HEADER_TRIED } from '../layout/map.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { peek, poke } from './atomics.ts';
import { now_ms } from './clock.ts';
import { wantsOwnCore } from './handover.ts';
import { spinLoads } from './spin-loads.ts';

/** A long spin is this many short ones, about 100 us. */
const LONG = 8;
/** Waits that make a measurement, and those that do after a new start. */
const WAITS = 16;
const WAITS_NEW = 4;
/** A thread that others wait so often beside is measured no more. */
const OTHERS_MAX = 64;
/** A measurement takes this long at least, or one wakeup, one preemption would be all of it. */
const MEASURE_ms = 1;
/** Messages that take no longer than this leave no doubt. */
const QUICK_ms = 0.015;
/** Spinning takes less than this part of the time that parking does: it is better beyond doubt. */
const MUCH_LESS = 0.8;
/**
 * Parking is kept where it takes no more than this part of the time that spinning took. Where messages take longer than
 * a spin does all spins are in vain, and it is kept as well if it is not dearer: it leaves the core to others.
 */
const HALF = 0.5;
const NO_MORE = 1.25;
/** What a long spin takes, about. */
const SPIN_ms = 0.12;
/** What is known of parking counts for so long. */
const KNOWN_ms = 4000;
/**
 * So many slow measurements more than quick ones, and parking is tried: one preemption makes one of them, and who parks
 * loses the place beside its partner that it has. A try to spin may have so many before it is in vain.
 */
const DOUBTS_MAX = 8;
const DOUBTS_TRY = 4;
/** A sleep of so long is none of a dense conversation. */
const LONG_SLEEP_ms = 1;
/** The spin that lets the scheduler separate two threads: two of its ticks, about 8 ms. */
const SEPARATING = 600;
/** So long after its announcement a try can be joined. */
const JOIN_ms = 50;
/** Between two tries to spin passes this many times what a try takes; twice as much each time that it was in vain. */
const PAUSE = 20;
const PAUSE_MAX_ms = 2000;

let isSpinning = true;
/** The present measurement: since when, how many messages had been sent then, and by which thread. */
let began_ms = 0;
let sentBefore = 0;
let measured = -1;
let waits = 0;
/** Waits of other threads of the agent since the last one of that thread. */
let others = 0;
let waitsWanted = WAITS_NEW;
/** Slow measurements while spinning, less the quick ones. */
let doubts = 0;
/** Time for a message while spinning and while parking, as last measured, and when the latter was. */
let spinning_ms = 0;
let parking_ms = Number.POSITIVE_INFINITY;
let parkingKnown_ms = Number.NEGATIVE_INFINITY;
/** When spinning is tried again, and was tried last. */
let pause_ms = 0;
let triesAt_ms = 0;
let tried_ms = 0;
let separates = false;
/** The announcement of the try that this agent took part in last. */
let joined_ms = 0;
/** Until then parking is known to be better, and a long sleep is no new start: the partner waited for a core. */
let crowdedUntil_ms = 0;

/** Loads to spin in the fast path, before anything else is known of the wait. */
export let firstSpin: number = spinLoads;

function setMode(spinning: boolean, wanted: number, doubtsNow: number = DOUBTS_MAX - DOUBTS_TRY): void {
  doubts = doubtsNow;
  isSpinning = spinning;
  firstSpin = spinning ? spinLoads : 0;
  waitsWanted = wanted;
  measured = -1;
}

/**
 * Loads to spin in a wait of thread `self` for the thread with index `partner`, or ANY_INDEX. `sent`: the messages that
 * `self` has sent, a count that wraps.
 */
export function spinsFor(self: number, partner: number, sent: number): number {
  if (wantsOwnCore !== null && wantsOwnCore(partner)) {
    measured = -1;
    return 0;
  }
  if (!isSpinning && peek(HEADER_TRIED) !== joined_ms) join();
  if (measured === self) {
    others = 0;
    if (++waits % waitsWanted === 0) measure(sent);
  } else if (measured === -1 || ++others >= OTHERS_MAX) {
    measured = self;
    began_ms = performance.now();
    sentBefore = sent;
    waits = others = 0;
  }
  if (!isSpinning) return 0;
  // A server that is called now and then would spin in vain each time, and in a burst the next call comes at once.
  if (!separates) return partner === ANY_INDEX && waitsWanted === WAITS_NEW ? spinLoads : spinLoads * LONG;
  separates = false;
  measured = -1;
  return spinLoads * SEPARATING;
}

/** Another agent has announced that it tries to spin. */
function join(): void {
  joined_ms = peek(HEADER_TRIED);
  if (now_ms() - joined_ms > JOIN_ms) return;
  tried_ms = performance.now();
  setMode(true, WAITS_NEW);
}

/** So many waits are over. If they took long enough the measurement is complete: which mode is next? */
function measure(sent: number): void {
  const time_ms = performance.now();
  if (time_ms - began_ms < MEASURE_ms) return;
  const each_ms = (time_ms - began_ms) / Math.max(1, (sent - sentBefore) | 0);
  if (isSpinning) {
    spinning_ms = each_ms;
    const isKnown = time_ms - parkingKnown_ms < KNOWN_ms;
    if (each_ms < QUICK_ms) pause_ms = 0;
    if (each_ms < QUICK_ms || (isKnown && each_ms < parking_ms * MUCH_LESS)) {
      setMode(true, WAITS, Math.min(Math.max(0, doubts - 1), DOUBTS_TRY));
    } else if (doubts + 1 < DOUBTS_MAX) {
      setMode(true, waitsWanted, doubts + 1);
    } else {
      if (isKnown) pause_ms = Math.min(Math.max(2 * pause_ms, PAUSE * (time_ms - tried_ms)), PAUSE_MAX_ms);
      triesAt_ms = time_ms + pause_ms;
      setMode(false, WAITS);
    }
    return;
  }
  parking_ms = each_ms;
  parkingKnown_ms = time_ms;
  if (each_ms > spinning_ms * (spinning_ms > SPIN_ms ? NO_MORE : HALF)) {
    setMode(true, WAITS, 0);
    return;
  }
  if (each_ms < spinning_ms * MUCH_LESS) crowdedUntil_ms = triesAt_ms;
  separates = time_ms >= triesAt_ms;
  if (separates) {
    tried_ms = time_ms;
    joined_ms = now_ms();
    poke(HEADER_TRIED, joined_ms);
  }
  setMode(separates, separates ? WAITS_NEW : WAITS);
}

/** Tells how long a thread has slept. */
export function learnSleep(slept_ms: number): void {
  if (slept_ms < LONG_SLEEP_ms || isSpinning || performance.now() < crowdedUntil_ms) return;
  setMode(true, WAITS_NEW);
}
