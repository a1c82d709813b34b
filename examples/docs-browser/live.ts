/**
 * What the page `/system` shows: the tasks as they stand, and who calls whom how often, over the last second or so.
 *
 * Invariant: looking asks no task anything, so that it works while any of them hangs.
 */
import type { Broken } from './fire.ts';
import type { Inside, TaskLine, Walls } from './walls/walls.ts';

/** Rates are over the time between two samples; younger ones would say nothing. */
const sample_ms = 900;

export interface LiveTask extends TaskLine {
  /** Calls that it has served since the start of the site, by all its predecessors too. */
  served: number;
  served_per_second: number;
}

export interface LiveEdge {
  from: string;
  to: string;
  calls: number;
  calls_per_second: number;
  /** What a call took its caller on average: since the last sample, or since the start when there were none. */
  mean_us: number;
  /** Whether the caller's thread stands and waits for this task. */
  waiting: boolean;
}

export interface Picture {
  walls: string;
  /** Seconds since the site was opened. */
  up_s: number;
  tasks: LiveTask[];
  edges: LiveEdge[];
  /** Whether the site sends itself visitors. */
  visitors: boolean;
  /** The part that is being broken, and what came of the breaks before. */
  breaking: string | null;
  broken: Broken[];
}

export interface Live {
  picture(): Picture;
}

/** What the picture shows beside the tasks. */
export type Around = () => Pick<Picture, 'visitors' | 'breaking' | 'broken'>;

interface Sample {
  at_ms: number;
  edges: Map<string, { calls: number; waited_ms: number }>;
}

export function openLive(walls: Walls, around: Around): Live {
  const opened_ms = performance.now();
  let before = takeSample(walls.inside);
  let last = before;

  return {
    picture() {
      const now = takeSample(walls.inside);
      if (now.at_ms - last.at_ms >= sample_ms) [before, last] = [last, now];
      const since = now === last ? before : last;
      const tasks = walls.inside?.tasks() ?? [];
      const edges = edgesOf(walls.inside, tasks, since, now);
      return {
        walls: walls.name,
        up_s: Math.round((now.at_ms - opened_ms) / 100) / 10,
        tasks: tasks.map((task) => ({ ...task, ...servedBy(task.name, edges) })),
        edges,
        ...around(),
      };
    },
  };
}

function takeSample(inside: Inside | undefined): Sample {
  const edges = inside?.edges() ?? [];
  return { at_ms: performance.now(), edges: new Map(edges.map((edge) => [`${edge.from} ${edge.to}`, edge])) };
}

function edgesOf(inside: Inside | undefined, tasks: TaskLine[], since: Sample, now: Sample): LiveEdge[] {
  const seconds = Math.max(1, now.at_ms - since.at_ms) / 1000;
  const edges = (inside?.edges() ?? []).map(({ from, to, calls, waited_ms }) => {
    const old = since.edges.get(`${from} ${to}`) ?? { calls: 0, waited_ms: 0 };
    const fresh = calls - old.calls;
    const mean_ms = fresh > 0 ? (waited_ms - old.waited_ms) / fresh : waited_ms / Math.max(1, calls);
    return {
      ...{ from, to, calls },
      calls_per_second: Math.round((fresh / seconds) * 10) / 10,
      mean_us: Math.round(mean_ms * 10_000) / 10,
      waiting: false,
    };
  });
  // A thread that stands and waits is shown also where it never called before: so one sees a ring.
  for (const { name: from, partner: to, state } of tasks) {
    if (to === undefined || (state !== 'waiting' && state !== 'polling')) continue;
    const edge = edges.find((known) => known.from === from && known.to === to);
    if (edge) edge.waiting = true;
    else edges.push({ from, to, calls: 0, calls_per_second: 0, mean_us: 0, waiting: true });
  }
  return edges;
}

function servedBy(name: string, edges: LiveEdge[]): Pick<LiveTask, 'served' | 'served_per_second'> {
  const own = edges.filter(({ to }) => to === name);
  return {
    served: own.reduce((sum, { calls }) => sum + calls, 0),
    served_per_second: Math.round(own.reduce((sum, edge) => sum + edge.calls_per_second, 0) * 10) / 10,
  };
}
