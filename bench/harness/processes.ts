/** Starts a measuring child for a job and brings back its result; a child that hangs is killed and reported as such. */
import { spawn } from 'node:child_process';
import type { Subject } from './bundle.ts';
import type { Failure, Job, JobResult } from './job.ts';

/** Far above any job: it ends a run whose subject lost a wake-up, and no figure depends on it. */
export const JOB_DEADLINE_MS = 45_000;

const STDERR_CHARACTERS_MAX = 4_000;

function failed(job: Job, message: string): JobResult {
  return { overhead: undefined, pairs: {}, failures: [{ rows: job.rows, message }], findings: {} };
}

/** One failure for each message, with the rows that share it: five processes fail in the same way. */
export function mergeFailures(failures: readonly Failure[]): Failure[] {
  const byMessage = new Map<string, Set<string>>();
  for (const failure of failures) {
    const rows = byMessage.get(failure.message) ?? new Set<string>();
    for (const row of failure.rows) rows.add(row);
    byMessage.set(failure.message, rows);
  }
  return [...byMessage].map(([message, rows]) => ({ rows: [...rows], message }));
}

export function runJob(job: Job, subject: Subject, deadline_ms = JOB_DEADLINE_MS): Promise<JobResult> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [subject.childPath, JSON.stringify(job)], {
      env: { ...process.env, ...subject.environment },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    let result = '';
    let complaints = '';
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, deadline_ms);
    child.stdio[3]?.on('data', (chunk: Buffer) => (result += chunk.toString('utf8')));
    child.stderr?.on('data', (chunk: Buffer) => {
      complaints = (complaints + chunk.toString('utf8')).slice(-STDERR_CHARACTERS_MAX);
    });
    child.once('error', (error) => {
      clearTimeout(deadline);
      resolve(failed(job, error.message));
    });
    child.once('close', (code, signal) => {
      clearTimeout(deadline);
      if (late) return resolve(failed(job, `no result within ${deadline_ms} ms\n${complaints}`));
      try {
        resolve(JSON.parse(result) as JobResult);
      } catch {
        resolve(failed(job, `ended with ${signal ?? code} and no result\n${complaints}`));
      }
    });
  });
}
