/**
 * Requests that the site sends itself, without a socket: some to look alive on the page `/system`, and those that go on
 * while a part is broken, to see what the break did to them.
 *
 * Invariant: each knows what a right answer is, and rejects when it got another.
 */
import type { Site } from './site.ts';
import type { Listed } from './tasks/store.ts';
import type { BreakKind, Walls } from './walls/walls.ts';

/** By the parts that they need: `page` and `list` the store; `words` also the stemmer. */
export const visitKinds = ['page', 'words', 'list', 'syntax', 'render'] as const;
export type VisitKind = (typeof visitKinds)[number];
export type Visits = Record<VisitKind, () => Promise<void>>;

/** The visits that need no part which the break touches; all of these have to go on. */
export const others: Record<BreakKind, readonly VisitKind[]> = {
  regex: ['page', 'words', 'list', 'render'],
  exit: ['page', 'words', 'list', 'syntax'],
  heap: ['page', 'words', 'list', 'syntax'],
  throw: ['page', 'words', 'list', 'syntax'],
  ring: ['page', 'words', 'list'],
  kill: ['page', 'words', 'list', 'syntax'],
  loop: ['page', 'words', 'list', 'syntax'],
};

export function makeVisits(site: Pick<Site, 'answer'>, walls: Walls, documents: readonly Listed[]): Visits {
  let turn = 0;
  const next = (): Listed | undefined => documents[(turn++ * 7919) % Math.max(1, documents.length)];

  async function get(url: string, status: number, holds: string): Promise<void> {
    const answer = await site.answer({ method: 'GET', url, accept: 'application/json' });
    if (answer.status !== status || !answer.body.includes(holds))
      throw new Error(`${url}: status ${answer.status} ${answer.body.slice(0, 200)}`);
  }

  return {
    page: async () => {
      const path = next()?.path;
      if (path !== undefined) await get(`/page/${encodeURIComponent(path)}`, 200, JSON.stringify(path));
    },
    words: () => get('/?q=install+the+package', 200, '"kind":"words"'),
    list: () => get('/page/', 200, '"documents"'),
    // What is no pattern has to be told so by the part that runs patterns.
    syntax: () => get('/?q=%2F%28%2F', 400, 'Unterminated group'),
    render: async () => {
      const path = next()?.path;
      if (path === undefined || !walls.inside) return;
      const { html } = await walls.inside.render(path, await walls.source(path));
      if (typeof html !== 'string') throw new Error(`${path} was not rendered`);
    },
  };
}

/** Sends visits of all kinds until `signal` is aborted. What becomes of them is not looked at here. */
export async function keepVisiting(visits: Visits, search: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  const pause_ms: Record<VisitKind, number> = { page: 20, words: 40, list: 100, syntax: 50, render: 30 };
  const visit = async (run: () => Promise<unknown>, ms: number): Promise<void> => {
    while (!signal.aborted) {
      await run().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, ms).unref());
    }
  };
  await Promise.all([...visitKinds.map((kind) => visit(visits[kind], pause_ms[kind])), visit(search, 1000)]);
}
