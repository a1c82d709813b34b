/**
 * Deadlocks: agents that wait for each other so that none of them can ever go on. Found by looking at kernel memory
 * from time to time; no call pays for it (docs/decisions/deadlock.md).
 *
 * The graph is one of agents. Whoever waits for a thread waits for that thread's agent to run: the reply, the taking of
 * a message, even an upcall come from any of its threads. So an agent that sleeps in place leads to the agent of the
 * awaited thread, and agents that lead only to each other are lost: a *ring*, of one agent or more. The usual ring of
 * two tasks is none, for the second call arrives at the thread that waits, as an upcall, and wakes it.
 *
 * A ring is believed when all its waits are the same in two looks: between the looks all of them held at once. One of
 * them, the *victim*, ends in DEADLOCK; the others then go on.
 */
import { endWait } from '../../kernel/fault.ts';
import { RING_SLOTS, RING_TEXT_MAX } from '../../layout/map.ts';
import { DEADLOCK } from '../../layout/message.ts';
import { freeRing, putRing } from '../../user/rings.ts';
import {
  agentOf,
  canEnd,
  collectWaits,
  describeAwaited,
  holds,
  isCall,
  type MethodName,
  taskName,
  taskOf,
  type Wait,
} from './waits.ts';

/** Each agent that sleeps in place, with the wait that it sleeps in. */
type Blocked = ReadonlyMap<number, Wait>;

function blockedAgents(waits: readonly Wait[]): Blocked {
  const blocked = new Map<number, Wait>();
  for (const wait of waits) if (wait.inPlace) blocked.set(agentOf(wait.tcb), wait);
  return blocked;
}

/** The rings among blocked agents, each a list of waits of which every one is for the agent of the next. */
function ringsIn(blocked: Blocked): Wait[][] {
  const rings: Wait[][] = [];
  const seen = new Set<number>();
  for (const first of blocked.keys()) {
    const path: number[] = [];
    let agent = first;
    while (blocked.has(agent) && !seen.has(agent)) {
      seen.add(agent);
      path.push(agent);
      agent = agentOf(blocked.get(agent)!.partner);
    }
    const begin = path.indexOf(agent);
    if (begin >= 0) rings.push(path.slice(begin).map((member) => blocked.get(member)!));
  }
  return rings;
}

/** The wait that ends for the sake of the others: the youngest, which has cost least; a call, if there is one. */
function victimOf(ring: readonly Wait[]): Wait | undefined {
  const endable = ring.filter(canEnd);
  const calls = endable.filter(isCall);
  return (calls.length > 0 ? calls : endable).reduce<Wait | undefined>(
    (youngest, wait) => (youngest === undefined || wait.since_ms > youngest.since_ms ? wait : youngest),
    undefined,
  );
}

/**
 * A ring as its victim sees it: what the victim calls, what that calls, and so on to whom it all comes back. Names in
 * the middle are left out when it gets longer than a slot.
 */
export function describeRing(ring: readonly Wait[], victim: Wait, methodName: MethodName): string {
  const at = ring.indexOf(victim);
  const inOrder = [...ring.slice(at), ...ring.slice(0, at)];
  const steps = inOrder.map((wait, i) => {
    const next = inOrder[(i + 1) % inOrder.length]!;
    // Several tasks may live in one agent: who is called need not be who is blocked.
    const where = taskOf(wait.partner) === taskOf(next.tcb) ? '' : ` (in ${taskName(next.tcb)})`;
    return describeAwaited(wait, methodName) + where;
  });
  const end = taskName(victim.partner);
  for (let shown = steps.length; ; shown--) {
    const left = steps.length - shown;
    const middle = left === 0 ? [] : [`${left} more`];
    const text = [...steps.slice(0, shown - 1), ...middle, ...steps.slice(steps.length - 1), end].join(' -> ');
    if (shown <= 1 || Buffer.byteLength(text) <= RING_TEXT_MAX) return text;
  }
}

/**
 * Looks for deadlocks and ends one wait of each. `holder` is the index of a thread of the own agent. Returns whether
 * any agent sleeps in a wait for another, so that it is worth while to look again soon. `between` runs between the two
 * looks.
 */
export function breakDeadlocks(holder: number, methodName: MethodName, between: () => void = () => {}): boolean {
  const blocked = blockedAgents(collectWaits());
  if (blocked.size === 0) return false;
  const rings = ringsIn(blocked).slice(0, RING_SLOTS);
  if (rings.length > 0) between();
  for (const ring of rings) if (ring.every(holds)) breakRing(ring, holder, methodName);
  return true;
}

function breakRing(ring: readonly Wait[], holder: number, methodName: MethodName): void {
  const victim = victimOf(ring);
  if (victim === undefined) return;
  // The text is there before the victim looks for it.
  const slot = putRing(victim.id, victim.sequence, describeRing(ring, victim, methodName));
  if (!endWait(victim.tcb, victim.state, DEADLOCK, holder)) freeRing(slot);
}
