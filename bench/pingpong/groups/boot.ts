/**
 * The first answer: each sample is a fresh process of its own, which starts its clock just before it imports the
 * library and stops it at the first synchronous answer; the time from there to its end is told apart. Ours and
 * synckit's alternate.
 *
 * Ours is the built package where there is a current build, as synckit is the one that is published.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { libraryUrl, sourceUrl } from '../../harness/files.ts';
import type { Context } from '../../harness/job.ts';

/** Starts of each a process: a repetition is one process of the plan, a start is not a placement. */
const STARTS = 4;

interface Lived {
  /** Nanoseconds to the first answer, as the started process itself printed them. */
  readonly answer_ns: number;
  /** Nanoseconds from there until this process has heard of its end: the clock is the machine's, the same in both. */
  readonly exit_ns: number;
}

function live(program: string, ...words: string[]): Lived {
  const path = fileURLToPath(sourceUrl(`workers/${program}`));
  const text = execFileSync(process.execPath, [path, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end_ns = Number(process.hrtime.bigint());
  const [answer_ns, answered_ns] = text.split(' ').map(Number) as [number, number];
  if (!(answer_ns > 0 && answered_ns > 0)) throw new Error(`${program} printed ${JSON.stringify(text)}`);
  return { answer_ns, exit_ns: end_ns - answered_ns };
}

/** The far sides: the same function as a task's module and as a synckit worker. */
const EXIT = 'boot.exit';
const MODULES = {
  'boot.first-answer': ['./boot-task.mjs', './synckit-add.mjs'],
  'boot.first-answer.ts': ['./boot-task.ts', './synckit-add.ts'],
  [EXIT]: ['./boot-task.mjs', './synckit-add.mjs'],
} as const;

export function run(context: Context): Promise<void> {
  const library = libraryUrl().href;
  for (const [row, [ours, theirs]] of Object.entries(MODULES)) {
    if (!context.wants(row)) continue;
    // The first start of each fills the page cache and the compile cache, which a user's second run finds filled too.
    live('boot-l3.ts', ours, library);
    live('boot-synckit.ts', theirs);
    for (let start = 0; start < Math.min(STARTS, context.plan.placements); start++) {
      const subject = live('boot-l3.ts', ours, library);
      const floor = live('boot-synckit.ts', theirs);
      if (row !== EXIT) context.record(row, { ns: subject.answer_ns, floor_ns: floor.answer_ns });
      else context.record(row, { ns: subject.exit_ns, floor_ns: floor.exit_ns });
    }
  }
  return Promise.resolve();
}
