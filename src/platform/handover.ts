/**
 * Hand-over on one core. To wake a thread on another core takes 60 us and more where that core had gone to sleep, on
 * the own core a switch of threads. So a server that one synchronous caller calls now and then *follows* it: the server
 * binds its thread to the core of the caller, and of two threads one sleeps while the other runs.
 *
 * Each agent says in its processor record on which core it was when it last woke somebody, and to which it has bound
 * itself. Rules:
 *   - A server begins to follow after FOLLOW_WAKEUPS_MIN or more calls in a row of one caller that found it asleep,
 *     with fewer than CALLS_BETWEEN_MAX calls from one to the next: who calls densely is served best from a core of
 *     one's own.
 *   - It stops when the switches of threads between dense calls have taken LEAVING_ms, about what it costs to stop: it
 *     has then lost no more than twice the least there is. Each time it begins again after twice as many calls.
 *   - It stops when another caller comes (and for OTHERS_ms after that), when a handler takes longer than HANDLER_ms,
 *     when its event loop has work, and when nobody calls.
 *   - Who is bound, and who waits for somebody bound to the core it is on, never spins: the other one needs that core.
 *   - The cores a thread may run on come back before its event loop turns and before it makes a thread or a process.
 *
 * Invariant: all of this changes where a thread runs and for how long it spins. No state word is read or written here,
 * so no message and no wakeup can be lost by it.
 */
import { fstat } from 'node:fs';
import { HEADER_HANDOVER } from '../layout/map.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { type Processor, PROCESSOR_BOUND, PROCESSOR_CORE, processorAt } from '../layout/task.ts';
import { type Tcb, TCB_BELL, TCB_HOME, TCB_PROCESSOR, tcbAt, tcbOf } from '../layout/tcb.ts';
import { type Affinity, loadAffinity, MASK_BYTES } from './affinity.ts';
import { peek, poke } from './atomics.ts';
import { beforeSpawn } from './spawn-guard.ts';
import { performance } from './timers.ts';

const FOLLOW_WAKEUPS_MIN = 3;
const FOLLOW_WAKEUPS_MAX = 384;
const CALLS_BETWEEN_MAX = 48;
/** A call that comes so soon after the last answer is dense: a core of one's own would have served it better. */
const DENSE_ms = 0.06;
const LEAVING_ms = 0.1;
const HANDLER_ms = 0.05;
const OTHERS_ms = 10;

let affinity: Affinity | null = null;
let own = 0 as Processor;
/** 1 + the core this thread has bound itself to; 0 when it has not. */
let bound = 0;
const original = new Uint8Array(MASK_BYTES);
const narrow = new Uint8Array(MASK_BYTES);

/** Says on which core this agent is, before it wakes somebody. Null while hand-over is off. */
export let sayCore: (() => void) | null = null;
/**
 * Whether to wait for the thread with this index, or for anybody (ANY_INDEX), is to wait for this thread's own core.
 * Null while hand-over is off.
 */
export let wantsOwnCore: ((partner: number) => boolean) | null = null;

const processorOf = (tcb: Tcb): Processor => processorAt(peek(tcb + TCB_PROCESSOR));

function waitsForOwnCore(partner: number): boolean {
  if (bound !== 0) return true;
  if (partner === ANY_INDEX) return false;
  const theirs = peek(processorOf(tcbAt(partner)) + PROCESSOR_BOUND);
  // Who has not been moved since it woke somebody is where it was: not worth another native call.
  return theirs !== 0 && theirs === peek(own + PROCESSOR_CORE);
}

/**
 * Turns hand-over on or off in a new system, of which this is the first agent. Where it cannot be, `warn` hears why.
 * With one core there is nothing to hand over: both threads are on it anyway.
 */
export function setHandover(on: boolean, processor: Processor, warn: (message: string) => void): void {
  poke(HEADER_HANDOVER, 0);
  leaveHandover();
  if (!on) return;
  try {
    affinity ??= loadAffinity();
    if (!affinity.readMask(original)) throw new Error('the system does not say on which cores this thread may run');
  } catch (error) {
    affinity = null;
    warn(`boot({ handover: true }) has no effect: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  if (coresIn(original) < 2) return;
  // Node makes the threads of its pool when first it needs one: here, and not in a thread that is bound.
  fstat(0, () => {});
  poke(HEADER_HANDOVER, 1);
  begin(processor);
}

/** Takes part in hand-over, if the system that this agent becomes a part of has it on. Before any module is loaded. */
export function joinHandover(processor: Processor): void {
  if (peek(HEADER_HANDOVER) === 0) return;
  try {
    affinity = loadAffinity();
  } catch {
    // The first agent could, this one cannot (other flags, say): it is called and calls as without.
    return;
  }
  beforeSpawn(stopFollowing);
  begin(processor);
}

function begin(processor: Processor): void {
  own = processor;
  poke(own + PROCESSOR_CORE, 0);
  poke(own + PROCESSOR_BOUND, 0);
  sayCore = () => poke(own + PROCESSOR_CORE, 1 + affinity!.core());
  wantsOwnCore = waitsForOwnCore;
}

/** The agent leaves its system. */
export function leaveHandover(): void {
  sayCore = null;
  wantsOwnCore = null;
}

function coresIn(mask: Uint8Array): number {
  let cores = 0;
  for (const byte of mask) for (let bits = byte; bits !== 0; bits &= bits - 1) cores++;
  return cores;
}

/** The caller that is followed, or may be soon. */
let caller = 0;
/** Its calls in a row that found the server asleep, and how many of them it takes to follow it. */
let wakeups = 0;
let wakeups_min = FOLLOW_WAKEUPS_MIN;
let answersBefore = 0;
/** What dense calls in a row have spent with switches. */
let switching_ms = 0;
let answered_ms = 0;
let others_ms = Number.NEGATIVE_INFINITY;

function forget(): void {
  wakeups = 0;
  switching_ms = 0;
}

/**
 * A call of thread `from` found this server asleep, after `answers` answers in all (a count that wraps). True: follow
 * its caller from here on.
 */
export function mayFollow(from: number, answers: number): boolean {
  if (sayCore === null) return false;
  const between = (answers - answersBefore) | 0;
  answersBefore = answers;
  if (from !== caller) noteOther(from, performance.now());
  else if (between >= CALLS_BETWEEN_MAX) wakeups = 0;
  wakeups++;
  return wakeups >= wakeups_min && isBlocked(from) && performance.now() - others_ms > OTHERS_ms;
}

/** Who is rung elsewhere than on its own state word does not block: it is run by an event loop, or a dispatcher. */
function isBlocked(from: number): boolean {
  const tcb = tcbOf(from);
  return peek(tcb + TCB_BELL) === 0 && peek(tcb + TCB_HOME) === 0;
}

function noteOther(from: number, time_ms: number): void {
  // The first of all is not another one.
  if (caller !== 0) others_ms = time_ms;
  caller = from;
  wakeups_min = FOLLOW_WAKEUPS_MIN;
  forget();
}

/** A call of `from` has come while this server follows. False: it should be served as without hand-over. */
export function isSparse(from: number, time_ms: number): boolean {
  if (from !== caller) {
    noteOther(from, time_ms);
    return false;
  }
  const gap_ms = time_ms - answered_ms;
  if (gap_ms >= DENSE_ms) {
    switching_ms = 0;
    wakeups_min = Math.max(FOLLOW_WAKEUPS_MIN, wakeups_min - 1);
    return true;
  }
  switching_ms += gap_ms;
  if (switching_ms < LEAVING_ms) return true;
  wakeups_min = Math.min(2 * wakeups_min, FOLLOW_WAKEUPS_MAX);
  forget();
  return false;
}

/**
 * The call has been answered that came at `began_ms`. Goes to where its caller is, to sleep there. False: this server
 * should not sleep now, or not there.
 */
export function follow(began_ms: number): boolean {
  answered_ms = performance.now();
  if (answered_ms - began_ms > HANDLER_ms || affinity!.loopHasWork()) {
    forget();
    return false;
  }
  const core = peek(processorOf(tcbOf(caller)) + PROCESSOR_CORE);
  return core === bound ? core !== 0 : core !== 0 && bind(core);
}

function bind(core: number): boolean {
  const at = (core - 1) >> 3;
  const bit = 1 << ((core - 1) & 7);
  // What the user has set since we looked last is what has to come back.
  if (bound === 0 && !affinity!.readMask(original)) return false;
  if ((original[at]! & bit) === 0) return false;
  narrow.fill(0);
  narrow[at] = bit;
  if (!affinity!.writeMask(narrow)) return false;
  bound = core;
  poke(own + PROCESSOR_BOUND, bound);
  return true;
}

/** May run where it might before. */
export function stopFollowing(): void {
  if (bound === 0) return;
  bound = 0;
  poke(own + PROCESSOR_BOUND, 0);
  // The cores of the whole process may have been changed since: then whatever is allowed is right.
  if (!affinity!.writeMask(original)) affinity!.writeMask(narrow.fill(0xff));
}

/** As `stopFollowing`, and makes room for a caller that needs its core now: the system would leave us here. */
export function makeWay(): void {
  if (bound === 0) return;
  narrow.set(original);
  narrow[(bound - 1) >> 3]! &= ~(1 << ((bound - 1) & 7));
  affinity!.writeMask(narrow);
  stopFollowing();
}
