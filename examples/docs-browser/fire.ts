/**
 * The site under fire: its parts are broken one after the other, while requests that need other parts go on.
 *
 * Invariant: one break at a time, so that what happened can be told from what else happened.
 */
import { others } from './visitors.ts';
import type { VisitKind, Visits } from './visitors.ts';
import { Busy } from './search.ts';
import type { BreakKind, BreakOutcome, Inside } from './walls/walls.ts';

const breaks_waiting_max = 16;
/** Between two visits of one kind while a part is broken. */
const visit_pause_ms = 4;

/** What broke, what the caller met, and what it did to the others. */
export interface Broken extends BreakOutcome {
  kind: BreakKind;
  /** Requests that need no broken part, sent from before the break until the parts were mended. */
  others_answered: number;
  others_failed: number;
  others_slowest_ms: number;
  /** The first few that failed, in words. */
  failures: string[];
}

export const breakTitles: Record<BreakKind, { title: string; where: string; does: string }> = {
  regex: { title: 'endless regex', where: 'match', does: 'a pattern that takes exponential time' },
  exit: { title: 'process.exit', where: 'parse', does: 'the part ends its process, as it thinks' },
  heap: { title: 'heap exhaustion', where: 'parse', does: 'the part takes memory until there is no more' },
  throw: { title: 'throw', where: 'highlight', does: 'an error, the ordinary way to fail' },
  ring: { title: 'ring of three', where: 'parse', does: 'parse calls highlight calls match calls parse' },
  kill: { title: 'kill', where: 'highlight', does: 'the part is killed while it works on a call' },
  loop: { title: 'endless loop', where: 'highlight', does: 'for (;;);' },
};

/** The error that each has to end in. */
export const codes: Record<BreakKind, string> = {
  regex: 'ERR_IPC_TIMEOUT',
  exit: 'ERR_IPC_PEER_GONE',
  heap: 'ERR_IPC_PEER_GONE',
  throw: 'TypeError',
  ring: 'ERR_IPC_DEADLOCK',
  kill: 'ERR_IPC_PEER_GONE',
  loop: 'ERR_IPC_TIMEOUT',
};

export interface Fire {
  /** Breaks a part and mends it, when the breaks before are done. Throws Busy when too many wait. */
  breakPart(kind: BreakKind): Promise<Broken>;
  /** The part that is broken right now. */
  readonly breaking: BreakKind | null;
  /** The last outcome of each kind. */
  readonly broken: Broken[];
}

/** `inTurn` keeps the matcher to the one who runs, for its pattern is only one. */
export function openFire(
  inside: Inside,
  visits: Visits,
  inTurn: (run: () => Promise<Broken>) => Promise<Broken>,
): Fire {
  const broken = new Map<BreakKind, Broken>();
  let breaking: BreakKind | null = null;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  async function run(kind: BreakKind): Promise<Broken> {
    const work = async (): Promise<Broken> => {
      breaking = kind;
      const outcome = await breakAmongOthers(kind, inside, visits);
      broken.delete(kind);
      broken.set(kind, outcome);
      return outcome;
    };
    try {
      return kind === 'regex' || kind === 'ring' ? await inTurn(work) : await work();
    } finally {
      breaking = null;
    }
  }

  return {
    get breaking() {
      return breaking;
    },
    get broken() {
      return [...broken.values()];
    },
    async breakPart(kind) {
      if (waiting >= breaks_waiting_max) throw new Busy('Too many breaks are waiting. Try again in a moment.');
      waiting++;
      const turn = last.then(() => run(kind));
      last = turn.catch(() => {});
      try {
        return await turn;
      } finally {
        waiting--;
      }
    },
  };
}

async function breakAmongOthers(kind: BreakKind, inside: Inside, visits: Visits): Promise<Broken> {
  const tally = { others_answered: 0, others_failed: 0, others_slowest_ms: 0, failures: [] as string[] };
  let isOver = false;
  const visit = async (name: VisitKind): Promise<void> => {
    do {
      const started_ms = performance.now();
      try {
        await visits[name]();
        tally.others_answered++;
      } catch (error) {
        tally.others_failed++;
        if (tally.failures.length < 5) tally.failures.push(error instanceof Error ? error.message : String(error));
      }
      tally.others_slowest_ms = Math.max(tally.others_slowest_ms, performance.now() - started_ms);
      await new Promise((resolve) => setTimeout(resolve, visit_pause_ms));
    } while (!isOver);
  };
  const visiting = Promise.all(others[kind].map(visit));
  try {
    return { kind, ...(await inside.breakPart(kind)), ...(await ended()) };
  } catch (error) {
    await ended();
    throw error;
  }

  async function ended(): Promise<typeof tally> {
    isOver = true;
    await visiting;
    return tally;
  }
}
