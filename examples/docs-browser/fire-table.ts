/** The second table: each part broken while the site goes on, beside what synckit did. For a terminal. */
import { breakTitles, codes } from './fire.ts';
import type { Broken, Fire } from './fire.ts';
import type { SynckitFates } from './fire-synckit.ts';
import { loop_time_max_ms } from './walls/l3kernel-inside.ts';
import { line_time_max_ms } from './walls/l3kernel-tasks.ts';
import { breakKinds } from './walls/walls.ts';
import type { BreakKind } from './walls/walls.ts';

export interface FireTable {
  broken: Broken[];
  synckit: SynckitFates;
}

/** Breaks everything, one after the other. */
export async function breakAll(fire: Fire): Promise<Broken[]> {
  const broken: Broken[] = [];
  for (const kind of breakKinds) broken.push(await fire.breakPart(kind));
  return broken;
}

/** What is wrong with an outcome, in words, or nothing. */
export function fault({ kind, code, message, others_failed, failures }: Broken): string | undefined {
  const { title } = breakTitles[kind];
  if (code !== codes[kind]) return `${title} ended in ${code} (${message}) instead of ${codes[kind]}`;
  if (others_failed) return `${title}: ${others_failed} other requests failed (${failures[0] ?? ''})`;
  return undefined;
}

export const fireColumns = ['', 'error code', 'ms to error', 'ms to answer', 'others failed', 'synckit'];

export function fireCells({ broken, synckit }: FireTable): string[][] {
  return broken.map(({ kind, code, error_ms, mended_ms, others_answered, others_failed }) => [
    ...[`${breakTitles[kind].title}${limits[kind] ? ' *' : ''}`, code, milliseconds(error_ms), milliseconds(mended_ms)],
    ...[`${others_failed} of ${others_answered + others_failed}`, synckit[kind] ?? ''],
  ]);
}

/** What has to be said about the table, a sentence each. */
export function fireNotes({ broken }: FireTable): string[] {
  const limited = broken
    .filter(({ kind }) => limits[kind])
    .map(({ kind }) => `${breakTitles[kind].title} ${limits[kind]} ms`);
  const notes = [
    `* the time limits of these calls: ${limited.join(', ')}`,
    'ms to answer: from the error until the parts that were touched answered again',
    'others: requests that needed other parts, sent all the while',
    'synckit: the same in a process of its own, ended after 2 s',
  ];
  for (const outcome of broken) {
    const wrong = fault(outcome);
    if (wrong !== undefined) notes.push(`NOT AS IT OUGHT TO BE: ${wrong}`);
  }
  return notes;
}

/** Breaks that nothing but a time limit ends, with their limits in milliseconds. */
const limits: Partial<Record<BreakKind, number>> = { regex: line_time_max_ms, loop: loop_time_max_ms };

function milliseconds(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}
