/**
 * A measuring process: takes one job from its argument, runs it, writes the result to file descriptor 3 and leaves.
 * Standard output stays free, since a module under measurement may print.
 */
import { writeSync } from 'node:fs';
import { loadGroup } from '../pingpong/groups.ts';
import { messageOf, openContext } from './job.ts';
import type { Job, JobResult } from './job.ts';
import { measureOverhead } from './overhead.ts';

const RESULT_DESCRIPTOR = 3;

/** Writes all of it: a pipe takes 64 KiB at a time, and a child that exits early would cut the document. */
function answer(result: JobResult): void {
  const bytes = Buffer.from(JSON.stringify(result));
  let written = 0;
  while (written < bytes.length) written += writeSync(RESULT_DESCRIPTOR, bytes, written);
}

const job = JSON.parse(process.argv[2] as string) as Job;
const overhead = measureOverhead();
const { context, collected } = openContext(job);
try {
  const group = await loadGroup(job.group);
  await group.run(context);
} catch (error) {
  collected.failures.push({ rows: job.rows, message: messageOf(error) });
}
answer({ overhead, ...collected });
// Agents of floors and of rivals may be parked still; nothing that they could do now is of interest.
process.exit(0);
