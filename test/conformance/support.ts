/**
 * What the tests of the public surface share: a watchdog, a system of its own for each test, and a look at what is
 * left behind.
 *
 * A defect of ours is a thread that is blocked for ever, and a blocked thread runs no timer. So the watchdog is a
 * worker thread: when a test is not over in time it says which, and who waits for whom, and ends the process.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { boot } from '../../src/index.ts';
import type { BootOptions, System, TaskInfo } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { countTasks, countThreads } from '../support/records.ts';
import { memory } from '../../src/platform/memory.ts';

/** No test of the surface takes a tenth of it. */
const WATCHDOG_ms = 30_000;

const TITLE_BYTES_MAX = 500;
/** See the watchdog. */
const state = new Int32Array(new SharedArrayBuffer(16 + TITLE_BYTES_MAX));
new Worker(new URL('../support/watchdog.ts', import.meta.url), {
  workerData: { state, l3kernel: { memory } },
  execArgv: [],
}).unref();

function tell(title: string, limit_ms: number): void {
  const text = Buffer.from(title).subarray(0, TITLE_BYTES_MAX);
  new Uint8Array(state.buffer).set(text, 16);
  Atomics.store(state, 1, text.length);
  Atomics.store(state, 2, limit_ms);
  Atomics.add(state, 0, 1);
  Atomics.notify(state, 0);
}

/** Runs something under the watchdog, by the name of its test. */
export async function guard(title: string, run: () => void | Promise<void>, limit_ms = WATCHDOG_ms): Promise<void> {
  tell(title, limit_ms);
  try {
    await run();
  } finally {
    tell('', 0);
  }
}

/** A test under the watchdog. */
export function guarded(title: string, run: () => void | Promise<void>): void {
  void test(title, () => guard(title, run));
}

/** What a system that has been shut down leaves behind: nothing. */
export function assertNothingLeft(): void {
  assert.deepEqual(verify(), []);
  assert.equal(countThreads(), 0, 'threads left behind');
  assert.equal(countTasks(), 0, 'tasks left behind');
}

/** A test under the watchdog, with a system of its own that must leave nothing behind. */
export function systemTest(
  title: string,
  run: (system: System) => void | Promise<void>,
  options: BootOptions = {},
): void {
  guarded(title, async () => {
    const system = await boot(options);
    try {
      await run(system);
    } finally {
      await system.shutdown();
    }
    assertNothingLeft();
  });
}

/** The tasks of a program: all but the supervisor, which is there as soon as there has been a worker. */
export const tasksOf = (system: System): TaskInfo[] => system.tasks().filter(({ kind }) => kind !== 'supervisor');

export const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url);

export const sleep = (time_ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time_ms));

/** Waits until something holds; the watchdog ends what never does. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of fixtures/ in a process of its own. `code` is null when it had to be killed. */
export function runProgram(
  name: string,
  args: readonly string[] = [],
  limit_ms = 10_000,
  flags: readonly string[] = [],
): Promise<Outcome> {
  return new Promise((resolve) => {
    const path = fileURLToPath(fixture(name));
    const options = { timeout: limit_ms, killSignal: 'SIGKILL' as const };
    const child = execFile(process.execPath, [...flags, path, ...args], options, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}

/** What a function throws. Fails when it does not. */
export function thrownBy(run: () => unknown): any {
  try {
    run();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}

/** What a promise is rejected with. Fails when it is not. */
export async function rejectionOf(promise: Promise<unknown>): Promise<any> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}
