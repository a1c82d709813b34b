/**
 * Runs the test files, two at a time, each in a process group of its own, and prints one summary. It fails when a test
 * fails, when a file ends badly or too late, and when there is nothing to run.
 *
 * `node --test` is not the runner of the files, because it ends a late file by SIGTERM and then waits for it. A thread
 * that is blocked in `Atomics.wait`, which is what a defect of ours looks like, runs no signal handler. Here a late
 * group is killed with SIGKILL, its child processes too, and what it printed until then is shown.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { developmentNode, filesBelow, root } from './toolchain.mjs';

const file_ms = 120_000;
const concurrency = Math.min(2, availableParallelism());
/** The runner's own limit of a single test is a little less, so that it can name the test where it still runs. */
const nodeArgs = ['--test-reporter=spec', `--test-timeout=${file_ms - 10_000}`];

/** @type {Record<string, number>} */
const counts = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
const countLine = new RegExp(`^ℹ (${Object.keys(counts).join('|')}) (\\d+)$`);

/** @type {Set<number>} */
const groups = new Set();

/** Ends a process and all that it started. @param {number} pid */
function killGroup(pid) {
  groups.delete(pid);
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** @param {string} file @returns {Promise<{ output: string, reason: string }>} the reason is '' when all is well */
function runFile(file) {
  return new Promise((resolve) => {
    const child = spawn(developmentNode(), [...nodeArgs, join(root, file)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    });
    const pid = child.pid ?? 0;
    groups.add(pid);
    let output = '';
    let isLate = false;
    const watchdog = setTimeout(() => {
      isLate = true;
      killGroup(pid);
    }, file_ms);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    // After 'exit' the rest of the output is still on its way: 'close' says that all was read. A process left behind
    // holds the pipes open, so what remains of the group is killed, and what left the group is not waited for.
    child.on('exit', (code, signal) => {
      clearTimeout(watchdog);
      const end = isLate ? `killed after ${file_ms / 1000} s` : signal ? `ended by ${signal}` : `exit code ${code}`;
      const finish = () => resolve({ output, reason: code === 0 && !isLate ? '' : end });
      const timers = [setTimeout(() => killGroup(pid), 250), setTimeout(finish, 2000)];
      child.on('close', () => {
        killGroup(pid);
        timers.forEach(clearTimeout);
        finish();
      });
    });
  });
}

/** Adds a file's summary to the counts; returns its output without the summary. @param {string} output */
function takeCounts(output) {
  const kept = output.split('\n').filter((line) => {
    const match = countLine.exec(line);
    if (match) counts[match[1]] += Number(match[2]);
    return !match && !line.startsWith('ℹ duration_ms');
  });
  return kept.join('\n').trimEnd();
}

const wanted = process.argv.slice(2).map((path) => path.replace(/^\.\//, '').replace(/\/$/, ''));
const isWanted = (/** @type {string} */ file) =>
  wanted.length === 0 || wanted.some((path) => file === path || file.startsWith(`${path}/`));
const files = ['src', 'test', 'examples', 'bench', 'scripts']
  .flatMap((folder) => filesBelow(folder))
  .filter((file) => file.endsWith('.test.ts') && isWanted(file));

process.on('exit', () => [...groups].forEach(killGroup));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** @type {string[]} */
const broken = [];
const began_ms = performance.now();
const queue = [...files];
async function work() {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const fileBegan_ms = performance.now();
    const { output, reason } = await runFile(file);
    const before = counts.tests;
    const text = takeCounts(output);
    const seconds = ((performance.now() - fileBegan_ms) / 1000).toFixed(1);
    const problem = reason || (counts.tests === before ? 'no test in it' : '');
    if (problem) broken.push(`${file}: ${problem}`);
    process.stdout.write(`# ${file} (${seconds} s)\n${text}\n`);
  }
}
await Promise.all(Array.from({ length: concurrency }, work));

for (const [name, count] of Object.entries(counts)) process.stdout.write(`ℹ ${name} ${count}\n`);
process.stdout.write(`ℹ duration_ms ${Math.round(performance.now() - began_ms)}\n`);
for (const line of broken) process.stdout.write(`FAILED ${line}\n`);
if (counts.pass === 0) process.stdout.write('no test ran\n');
if (broken.length > 0 || counts.fail + counts.cancelled > 0 || counts.pass === 0) process.exitCode = 1;
