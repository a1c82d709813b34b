/** What `l3 ps` and `l3 top` share: which system is meant, and a system as rows of a table. */
import { NO_RATES, ratesBetween } from '../inspect/rates.ts';
import type { ThreadView } from '../inspect/snapshot.ts';
import { formatTime, isIdle, labelOf, printable, type Row, waitText } from '../inspect/table.ts';
import { chainsIn, ringsIn } from '../inspect/waits.ts';
import { findSystems, type Found, type Inspected } from '../servers/inspect/api.ts';
import type { Inspection } from '../servers/inspect/protocol.ts';

/** Systems that fit a word of the command line: a process id, or a name. No word fits all. */
const fits = (system: Inspected, word: string | undefined): boolean =>
  word === undefined || String(system.pid) === word || system.first.system.name === word;

/** The systems that `word` may mean, and why there is none. The others' connections are closed. */
export async function chooseSystems(word: string | undefined): Promise<{ chosen: Inspected[]; none: string }> {
  let found: Found;
  try {
    found = await findSystems();
  } catch (error) {
    // The directory of the sockets is not ours, or open to others.
    return { chosen: [], none: (error as Error).message };
  }
  const { systems, silent } = found;
  const chosen = systems.filter((system) => fits(system, word));
  for (const system of systems) if (!chosen.includes(system)) system.close();
  return { chosen, none: noSystem(word, systems.length, silent) };
}

function noSystem(word: string | undefined, all: number, silent: readonly number[]): string {
  const stopped = silent.length === 0 ? '' : `; ${silent.join(', ')} does not answer`;
  if (all === 0) return `no system of this user is running${stopped}`;
  return `there is no system '${printable(word ?? '')}'${stopped}; \`l3 ps\` lists those that run`;
}

/** Ends the command when nobody reads its output any more, as `head` does. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}

/** One line a system, for who must choose. */
export function systemLines(systems: readonly Inspected[]): string[] {
  const rows = systems.map(({ pid, first }) => {
    const { tasks, threads } = first.totals;
    return `${String(pid).padStart(8)}  ${printable(first.system.name)} (${tasks} tasks, ${threads} threads)`;
  });
  return [`${'PID'.padStart(8)}  SYSTEM`, ...rows];
}

/** The method that a thread calls, by name where it is known. */
export function methodIn(inspection: Inspection, { id, method }: ThreadView): string {
  if (method === null) return '';
  return printable(inspection.methods[id] ?? `#${method}`);
}

/** A table row for every thread of the later of two looks at one system. */
export function rowsOf(before: Inspection, after: Inspection): Row[] {
  const rates = ratesBetween(before, after);
  const tasks = new Map(after.tasks.map((task) => [task.id, task]));
  const threads = new Map(after.threads.map((thread) => [thread.id, thread]));
  return after.threads.map((thread) => {
    const task = tasks.get(thread.task);
    const partner = thread.partner === null ? undefined : threads.get(thread.partner);
    return {
      thread,
      kind: task?.kind ?? '',
      restarts: task?.restarts ?? 0,
      partner: partner === undefined ? '' : labelOf(partner),
      method: methodIn(after, thread),
      rates: rates.get(thread.id) ?? NO_RATES,
    };
  });
}

/** The rows worth a line, and in words how many are not. */
export function busyRows(rows: readonly Row[]): { busy: Row[]; rest: string } {
  const busy = rows.filter((row) => !isIdle(row));
  const idle = rows.length - busy.length;
  return { busy, rest: idle === 0 ? '' : `${idle} idle threads are not shown` };
}

/** `name (pid): up 4.0 s, 3 of 1024 tasks, 12 of 8192 threads`. */
export function summary({ system, totals, time_ms }: Inspection): string {
  const { tasks, tasks_max, threads, threads_max } = totals;
  const name = `${printable(system.name)} (${system.pid})`;
  return `${name}: up ${formatTime(time_ms)}, ${tasks} of ${tasks_max} tasks, ${threads} of ${threads_max} threads`;
}

/** Rings, then chains of more than two threads: what waits for what, a line each. */
export function waitLines(before: Inspection, after: Inspection): string[] {
  const method = (thread: ThreadView): string => methodIn(after, thread);
  const rings = ringsIn(before, after).map((ring) => waitText(ring, true, method));
  const chains = chainsIn(after).filter((chain) => chain.length > 2);
  return [...rings, ...chains.map((chain) => waitText(chain, false, method))];
}
