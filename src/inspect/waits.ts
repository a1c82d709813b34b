/**
 * Who waits for whom: the chain of waits that begins with a thread, and rings. Pure functions over snapshots, so that
 * they serve whoever has one, in whichever process.
 *
 * A link leads from a thread to the partner it waits for. When that partner is not itself waiting, it is what its agent
 * does that counts: if another thread of the agent sleeps in place, the chain goes on with that one. The event loop of
 * a program blocked in `.sync` is such an agent.
 */
import type { Snapshot, ThreadView } from './snapshot.ts';

/** Each waiting thread's id with the thread on which its wait depends next. */
type Links = ReadonlyMap<number, ThreadView>;

const waitsForOne = (thread: ThreadView): boolean =>
  (thread.state === 'waiting' || thread.state === 'polling') && thread.partner !== null;

function linksOf({ threads }: Snapshot): Links {
  const byId = new Map(threads.map((thread) => [thread.id, thread]));
  const waiting = threads.filter(waitsForOne);
  const blockers = new Map(waiting.filter(({ inPlace }) => inPlace).map((thread) => [thread.processor, thread]));
  const links = new Map<number, ThreadView>();
  for (const thread of waiting) {
    const partner = byId.get(thread.partner!);
    if (partner === undefined) continue;
    const blocker = waitsForOne(partner) ? undefined : blockers.get(partner.processor);
    links.set(thread.id, blocker === undefined || blocker === thread ? partner : blocker);
  }
  return links;
}

/**
 * The threads from `thread` on, each waiting for the next. The last either waits for nobody, or stands in the chain
 * already: then the chain leads into a ring.
 */
function follow(links: Links, thread: ThreadView): ThreadView[] {
  const chain = new Set([thread]);
  for (let next = links.get(thread.id); next !== undefined; next = links.get(next.id)) {
    if (chain.has(next)) return [...chain, next];
    chain.add(next);
  }
  return [...chain];
}

/** The chain of waits of one thread, itself first; only itself when it waits for no one. */
export const chainOf = (snapshot: Snapshot, thread: ThreadView): ThreadView[] => follow(linksOf(snapshot), thread);

const leadsIntoRing = (chain: readonly ThreadView[]): boolean => chain.indexOf(chain.at(-1)!) < chain.length - 1;

/** The chains of two threads and more that are no part of a longer one and lead into no ring, longest first. */
export function chainsIn(snapshot: Snapshot): ThreadView[][] {
  const links = linksOf(snapshot);
  const followed = new Set([...links.values()].map(({ id }) => id));
  return snapshot.threads
    .filter(({ id }) => links.has(id) && !followed.has(id))
    .map((thread) => follow(links, thread))
    .filter((chain) => !leadsIntoRing(chain))
    .sort((a, b) => b.length - a.length);
}

/** The rings of one snapshot, each from its lowest id on, by a key that says which waits it is made of. */
function ringsOf(snapshot: Snapshot): Map<string, ThreadView[]> {
  const links = linksOf(snapshot);
  const rings = new Map<string, ThreadView[]>();
  const seen = new Set<number>();
  for (const thread of snapshot.threads) {
    if (seen.has(thread.id)) continue;
    const chain = follow(links, thread);
    for (const { id } of chain) seen.add(id);
    if (!leadsIntoRing(chain)) continue;
    const ring = fromLowest(chain.slice(chain.indexOf(chain.at(-1)!), -1));
    rings.set(ring.map(({ id, state, partner, sequence }) => `${id} ${state} ${partner} ${sequence}`).join(), ring);
  }
  return rings;
}

function fromLowest(ring: readonly ThreadView[]): ThreadView[] {
  const lowest = ring.reduce((at, { id }, i) => (id < ring[at]!.id ? i : at), 0);
  return [...ring.slice(lowest), ...ring.slice(0, lowest)];
}

/**
 * The rings that stand in both snapshots with every member in the same wait. One snapshot alone may show a ring that
 * never was, for its threads were not read at one instant.
 */
export function ringsIn(before: Snapshot, after: Snapshot): ThreadView[][] {
  const known = ringsOf(before);
  return [...ringsOf(after)].filter(([key]) => known.has(key)).map(([, ring]) => ring);
}
