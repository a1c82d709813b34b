/**
 * The first answer: each sample is a fresh process of its own, which starts its clock just before it imports the
 * library and stops it at the first synchronous answer. Ours and synckit's alternate.
 *
 * Ours is the built package where there is a current build, as synckit is the one that is published.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { libraryUrl, sourceUrl } from '../../harness/files.ts';
import type { Context } from '../../harness/job.ts';

/** Starts of each a process: a repetition is one process of the plan, a start is not a placement. */
const STARTS = 4;

/** Nanoseconds to the first answer, as the started process itself printed them. */
function firstAnswer(program: string, ...words: string[]): number {
  const path = fileURLToPath(sourceUrl(`workers/${program}`));
  const text = execFileSync(process.execPath, [path, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ns = Number(text);
  if (!(ns > 0)) throw new Error(`${program} printed ${JSON.stringify(text)}`);
  return ns;
}

/** The far sides: the same function as a task's module and as a synckit worker. */
const MODULES = {
  'boot.first-answer': ['./boot-task.mjs', './synckit-add.mjs'],
  'boot.first-answer.ts': ['./boot-task.ts', './synckit-add.ts'],
} as const;

export function run(context: Context): Promise<void> {
  const library = libraryUrl().href;
  for (const [row, [ours, theirs]] of Object.entries(MODULES)) {
    if (!context.wants(row)) continue;
    // The first start of each fills the page cache and the compile cache, which a user's second run finds filled too.
    firstAnswer('boot-l3.ts', ours, library);
    firstAnswer('boot-synckit.ts', theirs);
    for (let start = 0; start < STARTS; start++) {
      const ns = firstAnswer('boot-l3.ts', ours, library);
      context.record(row, { ns, floor_ns: firstAnswer('boot-synckit.ts', theirs) });
    }
  }
  return Promise.resolve();
}
