/**
 * Who calls whom through walls, how often, and how long the callers waited: what the page `/system` draws.
 *
 * Calls are noted a batch at a time, so that the account costs nothing where a call takes less than a microsecond.
 */

/** Totals from one task to another since the start. */
export interface Edge {
  from: string;
  to: string;
  calls: number;
  /** What the callers waited for these calls; of calls that were sent as one batch, the batch's time. */
  waited_ms: number;
}

export interface Account {
  note(from: string, to: string, calls: number, waited_ms: number): void;
  /** Runs `calls` calls from `main` to a part and notes them, whatever becomes of them. */
  timed<R>(to: string, calls: number, run: () => R): R;
  edges(): Edge[];
}

export function openAccount(): Account {
  const edges = new Map<string, Edge>();

  function note(from: string, to: string, calls: number, waited_ms: number): void {
    const key = `${from} ${to}`;
    let edge = edges.get(key);
    if (!edge) edges.set(key, (edge = { from, to, calls: 0, waited_ms: 0 }));
    edge.calls += calls;
    edge.waited_ms += waited_ms;
  }

  return {
    note,
    timed(to, calls, run) {
      const started_ms = performance.now();
      const end = (): void => note('main', to, calls, performance.now() - started_ms);
      let isPending = false;
      try {
        const result = run();
        if (result instanceof Promise) {
          isPending = true;
          return result.finally(end) as typeof result;
        }
        return result;
      } finally {
        if (!isPending) end();
      }
    },
    edges: () => [...edges.values()].map((edge) => ({ ...edge })),
  };
}
