/**
 * The stall report: who has waited for STALL_ms is named once, with what it waits for and what that does meanwhile. A
 * call that never ends is no secret then, even where there is no ring to break.
 *
 * The time of a wait counts from the first look that saw it, a beat late at most; TCB_SINCE begins afresh with every
 * upcall that a waiting thread serves.
 */
import { load, peek } from '#atomics';
import { ANY_INDEX, INDEX_MASK, STALL_ms } from '../../layout/params.ts';
import { DEAD, KIND_MASK, RUN, type Tcb, TCB_ID, TCB_STATE } from '../../layout/tcb.ts';
import {
  agentOf,
  awaitsStart,
  collectWaits,
  describeAwaited,
  isCall,
  isStarting,
  type MethodName,
  polls,
  taskName,
  taskOf,
  type Wait,
} from './waits.ts';

/** A wait as it was first seen. */
interface Seen {
  readonly id: number;
  readonly sequence: number;
  /** Id of the partner: starts of several tasks, one after the other, all have sequence 0. */
  readonly of: number;
  readonly since_ms: number;
  reported: boolean;
}

/** What one look leaves for the next: the waits that go on, by tcb. */
export type Stalls = Map<Tcb, Seen>;

/** Steps of a chain of waits that are told. */
const CHAIN_MAX = 8;
/** Calls that stall together, as those of one loop do, are told by the first few. */
const LINES_MAX = 8;

/** The lines for the waits that have become STALL_ms old since the last look. `stalls` is kept by the caller. */
export function reportStalls(stalls: Stalls, time_ms: number, methodName: MethodName): string[] {
  const waits = collectWaits();
  const late: Wait[] = [];
  const earlier = new Map(stalls);
  stalls.clear();
  for (const wait of waits) {
    if (!isCall(wait) && !awaitsStart(wait)) continue;
    const before = earlier.get(wait.tcb);
    const { id, sequence, partner } = wait;
    const of = peek(partner + TCB_ID);
    const isSame = before?.id === id && before.sequence === sequence && before.of === of;
    const seen = isSame ? before : { id, sequence, of, since_ms: time_ms, reported: false };
    stalls.set(wait.tcb, seen);
    if (seen.reported || time_ms - seen.since_ms < STALL_ms) continue;
    seen.reported = true;
    late.push(wait);
  }
  const lines = late.slice(0, LINES_MAX).map((wait) => {
    const waited_s = ((time_ms - stalls.get(wait.tcb)!.since_ms) / 1000).toFixed(1);
    return `${taskName(wait.tcb)} has waited ${waited_s} s for ${describeAwaited(wait, methodName)}: ${doings(wait, waits, methodName)}`;
  });
  if (late.length > LINES_MAX) lines.push(`${late.length - LINES_MAX} more calls have waited as long`);
  return lines;
}

/** What goes on at the other end of a wait: the chain of who waits for whom, down to somebody who does not. */
function doings(first: Wait, waits: readonly Wait[], methodName: MethodName): string {
  const steps: string[] = polls(first) ? ['it is not taken yet'] : [];
  const met = new Set<Wait>();
  for (let wait = first; ;) {
    met.add(wait);
    const next = waits.find(({ inPlace, tcb }) => inPlace && agentOf(tcb) === agentOf(wait.partner));
    if (next === undefined) return [...steps, doing(wait, waits, methodName)].join('; ');
    const where = taskOf(wait.partner) === taskOf(next.tcb) ? '' : `${taskName(wait.partner)} lives in `;
    steps.push(
      `${where}${taskName(next.tcb)}${where === '' ? '' : ', which'} waits for ${describeAwaited(next, methodName)}`,
    );
    if (met.has(next)) return `${steps.join('; ')}, and so on in a ring`;
    if (steps.length >= CHAIN_MAX) return `${steps.join('; ')}, and so on`;
    wait = next;
  }
}

/** What an agent does that does not sleep in a wait for another. */
function doing(awaiting: Wait, waits: readonly Wait[], methodName: MethodName): string {
  const { partner } = awaiting;
  const name = taskName(partner);
  const state = load(partner + TCB_STATE);
  if (state === DEAD) return `${name} has ended`;
  if (isStarting(partner) || awaitsStart(awaiting)) return `${name} is starting`;
  if ((state & KIND_MASK) === RUN) return `${name} is on the CPU`;
  const own = waits.filter((wait) => !wait.inPlace && agentOf(wait.tcb) === agentOf(partner));
  const awaited = [...new Set(own.map((wait) => describeAwaited(wait, methodName)))].slice(0, 2).join(', ');
  const isOpen = (state & INDEX_MASK) === ANY_INDEX;
  const loop = isOpen ? `${name} takes calls, its handler is waiting for a promise` : `${name} is not taking calls`;
  return awaited === '' ? loop : `${loop}; it waits for ${awaited}`;
}
