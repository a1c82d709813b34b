/**
 * `l3 ps [NAME|PID] [--json]`: the threads of a running system, as they are now, with what each did in the last moment.
 * With several systems and no argument it lists the systems.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ratesBetween } from '../inspect/rates.ts';
import { sortRows, tableLines } from '../inspect/table.ts';
import { chainsIn, ringsIn } from '../inspect/waits.ts';
import type { Inspection } from '../servers/inspect/protocol.ts';
import { busyRows, chooseSystems, endWithReader, rowsOf, summary, systemLines, waitLines } from './inspected.ts';

const USAGE = `Usage: l3 ps [NAME|PID] [--json]

  NAME|PID  the system: the file name of its program, or its process id; not needed when one is running
  --json    one JSON document on standard output
`;

/** Time between the two looks from which rates are made. */
const LOOK_ms = 250;

/** What `--json` prints of one system: ids in place of names wherever a thread is meant. */
function documentOf(before: Inspection, after: Inspection): object {
  const rates = ratesBetween(before, after);
  const { methods, ...rest } = after;
  const ids = (chains: readonly (readonly { id: number }[])[]): number[][] => chains.map((c) => c.map(({ id }) => id));
  return {
    ...rest,
    threads: after.threads.map((thread) => ({
      ...thread,
      methodName: methods[thread.id] ?? null,
      ...rates.get(thread.id),
    })),
    rings: ids(ringsIn(before, after)),
    chains: ids(chainsIn(after)),
  };
}

function textOf(before: Inspection, after: Inspection, width: number): string {
  const { busy, rest } = busyRows(rowsOf(before, after));
  const lines = [summary(after), '', ...tableLines(sortRows(busy, 'id', false), width)];
  if (rest !== '') lines.push(rest);
  const waits = waitLines(before, after);
  if (waits.length > 0) lines.push('', ...waits);
  return `${lines.join('\n')}\n`;
}

/**
 * Resolves to the exit code: 1 when there is no such system, or it ended under our eyes; 2 for a wrong command line.
 */
export async function ps(args: string[]): Promise<number> {
  let word: string | undefined;
  let json: boolean | undefined;
  try {
    const parsed = parseArgs({ args, options: { json: { type: 'boolean' } }, allowPositionals: true });
    if (parsed.positionals.length > 1) throw new Error('there is more than one system named');
    [word] = parsed.positionals;
    ({ json } = parsed.values);
  } catch (error) {
    process.stderr.write(`l3 ps: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  endWithReader();
  const { chosen, none } = await chooseSystems(word);
  try {
    const [system] = chosen;
    if (system === undefined) {
      process.stderr.write(`l3 ps: ${none}\n`);
      return 1;
    }
    if (chosen.length > 1) {
      const systems = chosen.map(({ first }) => first.system);
      process.stdout.write(json ? `${JSON.stringify({ systems })}\n` : `${systemLines(chosen).join('\n')}\n`);
      return 0;
    }
    await sleep(LOOK_ms);
    const after = await system.ask();
    const width = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
    process.stdout.write(
      json ? `${JSON.stringify(documentOf(system.first, after))}\n` : textOf(system.first, after, width),
    );
    return 0;
  } catch (error) {
    process.stderr.write(`l3 ps: ${(error as Error).message}\n`);
    return 1;
  } finally {
    for (const system of chosen) system.close();
  }
}
