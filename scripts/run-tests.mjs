/**
 * Runs the test files, each in its own process, and fails when there is nothing to run.
 *
 * Two watchdogs stand behind each file. The runner's own timeout ends a test that never settles. A test whose thread is
 * blocked for good cannot run a signal handler either, so a process that outlives the runner's timeout is killed.
 */
import { spec } from 'node:test/reporters';
import { run } from 'node:test';
import { join } from 'node:path';
import { filesBelow, root } from './toolchain.mjs';

const timeout_ms = 120_000;
const total_ms = 12 * 60_000;

const wanted = process.argv.slice(2).map((path) => path.replace(/^\.\//, '').replace(/\/$/, ''));
const isWanted = (/** @type {string} */ file) =>
  wanted.length === 0 || wanted.some((path) => file === path || file.startsWith(`${path}/`));
const files = ['src', 'test', 'examples', 'bench']
  .flatMap((folder) => filesBelow(folder))
  .filter((file) => file.endsWith('.test.ts') && isWanted(file));
if (files.length === 0) {
  process.stderr.write('no test file was found\n');
  process.exit(1);
}

const stream = run({
  files: files.map((file) => join(root, file)),
  cwd: root,
  concurrency: 2,
  timeout: timeout_ms,
});
let passed = 0;
stream.on('test:fail', () => (process.exitCode = 1));
stream.on('test:summary', ({ counts, file, success }) => {
  if (file !== undefined) return;
  passed = counts.passed;
  if (!success) process.exitCode = 1;
});
stream.compose(new spec()).pipe(process.stdout);
const overall = setTimeout(() => {
  process.stderr.write(`the tests took more than ${total_ms / 60_000} minutes\n`);
  process.exit(1);
}, total_ms);
overall.unref();
process.on('exit', () => {
  if (passed > 0) return;
  process.stderr.write('no test ran\n');
  process.exitCode = 1;
});
