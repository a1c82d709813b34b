/**
 * Deadlocks: agents that wait for each other so that none of them can ever go on. Found by looking at kernel memory
 * from time to time; no call pays for it (docs/decisions/deadlock.md).
 *
 * The graph is one of agents. Whoever waits for a thread waits for that thread's agent to run: the reply, the taking of
 * a message, even an upcall come from any of its threads. An agent is *blocked* while it sleeps in place; or while its
 * server is closed, because `concurrency` handlers are under way, and its loop is empty but for calls. Blocked agents
 * all of whose waits lead to each other are *lost*, and there is a *ring* among them, of one agent or more. The usual
 * ring of two tasks is none, for the second call arrives at the thread that waits, as an upcall, and wakes it.
 *
 * A ring is believed when everything that it depends on is the same in two looks: between the looks it all held at
 * once. One of its waits, the *victim*, ends in DEADLOCK; the others then go on.
 */
import { load, peek, poke, store } from '#atomics';
import { notify } from '#wait';
import { endWait } from '../../kernel/fault.ts';
import { RING_SLOTS, RING_TEXT_MAX } from '../../layout/map.ts';
import { DEADLOCK } from '../../layout/message.ts';
import {
  indexOfTcb,
  PARKED,
  type Tcb,
  TCB_DRAINED,
  TCB_FILLED,
  TCB_ID,
  TCB_OUT_PIECES,
  TCB_SENDER,
  TCB_SEQUENCE,
  TCB_STATE,
  TCB_TRANSFER,
  type ThreadId,
  waiting,
} from '../../layout/tcb.ts';
import { freeRing, putRing } from '../../user/rings.ts';
import {
  agentOf,
  canEnd,
  collectWaits,
  describeAwaited,
  holds,
  isCall,
  isUpcall,
  type MethodName,
  polls,
  stuckWord,
  taskName,
  taskOf,
  type Wait,
  watchedCalls,
} from './waits.ts';

/** An agent that goes on only when one of its waits ends. */
interface Blocked {
  readonly waits: readonly Wait[];
  /** What it says of itself, if its loop is idle; 0 for one that sleeps in place. */
  readonly word: number;
}
type Agents = Map<number, Blocked>;

/**
 * The agents that cannot go on by themselves: those that sleep in place, in one wait, and those whose loop is idle and
 * whose server is closed, all of whose calls are still unanswered.
 */
function blockedAgents(waits: readonly Wait[]): Agents {
  const blocked: Agents = new Map();
  const watched = new Map<number, Wait[]>();
  for (const wait of waits) {
    const agent = agentOf(wait.tcb);
    if (wait.inPlace) blocked.set(agent, { waits: [wait], word: 0 });
    else watched.set(agent, [...(watched.get(agent) ?? []), wait]);
  }
  for (const [agent, calls] of watched) {
    const word = stuckWord(agent);
    if (word === 0 || blocked.has(agent) || calls.length !== watchedCalls(word)) continue;
    blocked.set(agent, { waits: calls, word });
  }
  return blocked;
}

const leadsTo = (wait: Wait): number => agentOf(wait.partner);

/** Takes out whoever may go on: one of its waits is for an agent that is not blocked, or is taken out itself. */
function keepLost(blocked: Agents): void {
  for (let before = -1; before !== blocked.size;) {
    before = blocked.size;
    for (const [agent, { waits }] of blocked) {
      if (waits.some((wait) => !blocked.has(leadsTo(wait)))) blocked.delete(agent);
    }
  }
}

/** Rings among agents that lead only to each other: lists of waits of which every one is for the agent of the next. */
function ringsIn(lost: Agents): Wait[][] {
  const rings: Wait[][] = [];
  const seen = new Set<number>();
  for (const first of lost.keys()) {
    const path: number[] = [];
    let agent = first;
    while (!seen.has(agent)) {
      seen.add(agent);
      path.push(agent);
      agent = leadsTo(lost.get(agent)!.waits[0]!);
    }
    const begin = path.indexOf(agent);
    if (begin >= 0) rings.push(path.slice(begin).map((member) => lost.get(member)!.waits[0]!));
  }
  return rings;
}

/** The second look: at a ring, and at everything that could make one of its members go on. */
function isStill(ring: readonly Wait[], lost: Agents): boolean {
  const reached = new Set(ring.map((wait) => agentOf(wait.tcb)));
  for (const agent of reached) {
    const { waits, word } = lost.get(agent)!;
    if (!waits.every(holds) || (word !== 0 && stuckWord(agent) !== word)) return false;
    for (const wait of waits) reached.add(leadsTo(wait));
  }
  return true;
}

/** How sure it is that nothing was done yet with the message of a wait: what the next member of the ring is held by. */
function untouched(wait: Wait, next: Wait): number {
  if (polls(wait)) return 2;
  // Its receiver is not the thread that is blocked, so that it lies in the receiver's line; unless a promise is
  // awaited.
  return wait.partner === next.tcb ? 0 : 1;
}

/**
 * The wait that ends for the sake of the others: of a call, if there is one; of the call that closed the ring, so that
 * no work is thrown away; of the youngest of several. Among the upcalls, or among all others: the thread that serves an
 * upcall is the one that the upcall's maker answers in the end, and must not be answered while it does.
 */
function victimOf(ring: readonly Wait[], upcalls: boolean): Wait | undefined {
  const rank = (wait: Wait): number =>
    (isCall(wait) ? 4 : 0) + untouched(wait, ring[(ring.indexOf(wait) + 1) % ring.length]!);
  return ring
    .filter((wait) => canEnd(wait) && isUpcall(wait) === upcalls)
    .toSorted((a, b) => rank(b) - rank(a) || b.since_ms - a.since_ms)
    .at(0);
}

/**
 * A ring as its victim sees it, behind what the victim calls, which it knows itself: what that calls, and so on to whom
 * it all comes back. Names in the middle are left out when it gets longer than a slot.
 */
export function describeRing(ring: readonly Wait[], victim: Wait, methodName: MethodName): string {
  const at = ring.indexOf(victim);
  const inOrder = [...ring.slice(at), ...ring.slice(0, at)];
  const steps = inOrder.map((wait, i) => {
    const next = inOrder[(i + 1) % inOrder.length]!;
    // Several tasks may live in one agent: who is called need not be who is blocked.
    const where = taskOf(wait.partner) === taskOf(next.tcb) ? '' : ` (in ${taskName(next.tcb)})`;
    return (wait === victim ? '' : describeAwaited(wait, methodName)) + where;
  });
  const end = taskName(victim.partner);
  for (let shown = steps.length; ; shown--) {
    const left = steps.length - shown;
    const middle = left === 0 ? [] : [`${left} more`];
    const text = [...steps.slice(0, shown - 1), ...middle, ...steps.slice(steps.length - 1), end].join(' -> ');
    if (shown <= 2 || Buffer.byteLength(text) <= RING_TEXT_MAX) return text;
  }
}

/**
 * Looks for deadlocks and ends one wait of each. `holder` is the index of a thread of the own agent. Returns whether
 * any agent is blocked by a wait for another, so that it is worth while to look again soon. `between` runs between the
 * two looks.
 */
export function breakDeadlocks(holder: number, methodName: MethodName, between: () => void = () => {}): boolean {
  const agents = blockedAgents(collectWaits());
  if (agents.size === 0) return false;
  keepLost(agents);
  const rings = ringsIn(agents).slice(0, RING_SLOTS);
  if (rings.length > 0) between();
  for (const ring of rings) if (isStill(ring, agents)) breakRing(ring, holder, methodName);
  return true;
}

function breakRing(ring: readonly Wait[], holder: number, methodName: MethodName): void {
  const victim = victimOf(ring, false) ?? (breakTransfer(ring, holder, methodName) ? undefined : victimOf(ring, true));
  if (victim === undefined) return;
  // The text is there before the victim looks for it.
  const slot = putRing(victim.id, victim.sequence, describeRing(ring, victim, methodName));
  if (!endWait(victim.tcb, victim.state, DEADLOCK, holder)) freeRing(slot);
}

/**
 * Ends one of the long transfers that a ring is made of. If some are calls on their way, then such a call, before its
 * receiver is told that there is no more to come; its agent sleeps, and has not begun to send the pieces. Else an
 * answer, which its caller finds broken off.
 */
function breakTransfer(ring: readonly Wait[], holder: number, methodName: MethodName): boolean {
  const victim = ring.find(
    (wait) => isAmid(wait) && load(wait.partner + TCB_STATE) === waitingFor(wait.partner, wait.tcb),
  );
  if (victim === undefined) {
    const receiver = ring.find((wait) => isAmid(wait) && peek(wait.partner + TCB_SENDER) === wait.id)?.partner;
    if (receiver !== undefined) for (const at of [TCB_FILLED, TCB_DRAINED]) breakOff(receiver + at);
    return receiver !== undefined;
  }
  const { partner: caller, tcb: receiver } = victim;
  const slot = putRing(
    peek(caller + TCB_ID) as ThreadId,
    peek(caller + TCB_SEQUENCE),
    describeRing(ring, victim, methodName),
  );
  poke(caller + TCB_OUT_PIECES, 0);
  if (endWait(caller, load(caller + TCB_STATE), DEADLOCK, holder)) breakOff(receiver + TCB_FILLED);
  else freeRing(slot);
  return true;
}

const isAmid = ({ tcb }: Wait): boolean => peek(tcb + TCB_TRANSFER) !== 0;
const waitingFor = (caller: Tcb, receiver: Tcb): number =>
  waiting(peek(caller + TCB_ID), indexOfTcb(receiver)) | (load(caller + TCB_STATE) & PARKED);

/** A count that no transfer has: negative, and so it stays when a repair adds to it. */
export const BROKEN_OFF = 1 << 31;

// SYNC POINT: pairs with awaitCount of who sleeps on the count.
function breakOff(at: number): void {
  store(at, BROKEN_OFF);
  notify(at);
}
