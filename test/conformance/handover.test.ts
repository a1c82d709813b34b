/** Hand-over on one core: it begins, it ends, and nobody is left bound to a core who was not before. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type System, type Task } from '../../src/index.ts';
import { PROCESSOR_BOUND, processorAt } from '../../src/layout/task.ts';
import { TCB_PROCESSOR, tcbOf } from '../../src/layout/tcb.ts';
import { loadAffinity } from '../../src/platform/affinity.ts';
import { peek } from '../../src/platform/atomics.ts';
import { fixture, runProgram, sleep, systemTest, thrownBy, until } from './support.ts';

type Cores = typeof import('./fixtures/cores.ts');
type Server = Task<Cores>;

/** Why there is no hand-over here, or null. */
function missing(): string | null {
  if (availableParallelism() < 2) return 'one core only';
  try {
    loadAffinity();
    return null;
  } catch (error) {
    return String(error);
  }
}

/** Cores that a thread of this process may run on, as a list; undefined when the thread has ended. */
function coresOf(thread: string): string | undefined {
  try {
    const status = readFileSync(`/proc/self/task/${thread}/status`, 'utf8');
    return /^Cpus_allowed_list:\t(.*)$/m.exec(status)![1]!;
  } catch {
    return undefined;
  }
}

const isFollowing = (t: Server): boolean =>
  peek(processorAt(peek(tcbOf(t.id) + TCB_PROCESSOR)) + PROCESSOR_BOUND) !== 0;

const cell = new Int32Array(new SharedArrayBuffer(4));
const pause = (time_ms: number): void => void Atomics.wait(cell, 0, 0, time_ms);

/** Calls now and then until the server follows. The watchdog ends what never does. */
function callSparsely(t: Server): void {
  for (let i = 0; !isFollowing(t); i++) {
    pause(1);
    assert.equal(t.sync.add(i, 1), i + 1);
    // The answer comes before the server goes to sleep.
    pause(0.5);
  }
}

/** Less than the second after which a server that nobody calls ends it by itself. */
const SOON_ms = 500;

/** Checks that the server ceases to follow; on a crowded machine that takes its time. */
function assertEnds(t: Server): void {
  for (const end_ms = performance.now() + SOON_ms; isFollowing(t) && performance.now() < end_ms;) pause(1);
  assert.equal(isFollowing(t), false);
}

/** What the task has noted, when it is as many notes as that, or soon. */
async function notesOf(t: Server, count: number): Promise<string[]> {
  const notes: string[] = [];
  for (const end_ms = performance.now() + SOON_ms; notes.length < count && performance.now() < end_ms;) {
    await sleep(10);
    notes.push(...t.sync.notes());
  }
  return notes;
}

const why = missing();
const skip = why === null ? false : `hand-over cannot be tested here: ${why}`;

function handoverTest(title: string, run: (t: Server, all: string, system: System) => void | Promise<void>): void {
  if (why !== null) {
    test(title, { skip });
    return;
  }
  const all = coresOf(String(process.pid))!;
  systemTest(
    title,
    async (system) => {
      const t = await system.spawn<Cores>(fixture('cores.ts'));
      const thread = t.sync.threadId();
      callSparsely(t);
      await run(t, all, system);
      await until(() => coresOf(thread) === all);
      await system.shutdown();
      for (const left of readdirSync('/proc/self/task')) assert.equal(coresOf(left) ?? all, all, `thread ${left}`);
    },
    { handover: true },
  );
}

handoverTest('a server that is called now and then is bound to the core of its caller', (t, all) => {
  const bound = t.sync.cores();
  assert.match(bound, /^\d+$/);
  assert.notEqual(bound, all);
});

handoverTest('dense calls end it', (t) => {
  let ended = false;
  for (let i = 0; i < 5000; i++) {
    assert.equal(t.sync.add(i, 2), i + 2);
    // On a crowded machine it may begin again.
    ended ||= !isFollowing(t);
  }
  assert.ok(ended);
});

handoverTest('a long handler ends it', (t) => {
  t.sync.burn(1);
  assertEnds(t);
});

handoverTest('a handler that throws ends it', (t) => {
  // Often enough that the handler is quick, and does not end it by its length.
  for (let i = 0; i < 10; i++) {
    callSparsely(t);
    assert.equal(
      thrownBy(() => t.sync.fail()),
      'as asked',
    );
    assertEnds(t);
  }
});

handoverTest('a second caller ends it', async (t, all, system) => {
  const other = await system.spawn<typeof import('./fixtures/calls.ts')>(fixture('calls.ts'));
  callSparsely(t);
  const named = await system.spawn<Cores>(fixture('cores.ts'), { name: 'cores' });
  callSparsely(named);
  assert.equal(other.sync.ask('cores', 'add', 1, 2), 3);
  assertEnds(named);
  assert.equal(named.sync.cores(), all);
});

handoverTest('an .async caller is not followed, and ends it', async (t) => {
  for (let i = 0; i < 20; i++) {
    await sleep(2);
    assert.equal(await t.async.add(i, 3), i + 3);
  }
  assertEnds(t);
});

handoverTest('it ends when nobody calls', async (t) => {
  await until(() => !isFollowing(t));
});

handoverTest('the event loop runs with all cores', async (t, all) => {
  for (let i = 0; i < 10; i++) {
    callSparsely(t);
    t.sync.later();
    assert.deepEqual(await notesOf(t, 2), [all, all]);
    callSparsely(t);
    t.sync.microtask();
    assert.deepEqual(await notesOf(t, 1), [all]);
  }
  callSparsely(t);
  assert.equal(t.sync.afterAwait(), all);
});

handoverTest('what a handler makes may run on all cores', (t, all) => {
  const ways: (() => string)[] = [
    () => t.sync.childCores('spawnSync'),
    () => t.sync.childCores('execFileSync'),
    () => t.sync.childCores('execSync'),
    () => t.sync.childCoresLater(),
    () => t.sync.workerCores(),
  ];
  for (const way of ways) {
    callSparsely(t);
    assert.equal(way(), all);
  }
});

test("the threads of Node's pool may run on all cores", { skip }, async () => {
  // In a process that has no pool yet: here the test runner may have made it.
  const { code, stdout, stderr } = await runProgram('pool.ts');
  assert.match(stdout, /^all of [1-9]/, stderr);
  assert.equal(code, 0);
});

handoverTest('callbacks work in it', (t) => {
  for (let i = 0; i < 50; i++) {
    pause(0.5);
    assert.equal(
      t.sync.callBack((value) => value * 2, i),
      2 * i,
    );
  }
});

handoverTest('10,000 calls in phases of all kinds: every answer is right', async (t) => {
  let seed = 20260731;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((seed / 0x80000000) * below);
  };
  let follows = 0;
  for (let calls = 0; calls < 10_000;) {
    const burst = [1, 1, 1, 10, 100, 1000][random(6)]!;
    const gap_ms = [0, 0.02, 0.1, 0.5][random(4)]!;
    for (let phase = burst === 1 ? 20 : 2; phase > 0; phase--) {
      const end_ms = performance.now() + gap_ms;
      while (performance.now() < end_ms);
      for (let i = 0; i < burst; i++) assert.equal(t.sync.add(calls++, 7), calls + 6);
      if (isFollowing(t)) follows++;
    }
    if (random(20) === 0) assert.equal(await t.async.add(calls, 1), calls + 1);
    if (random(20) === 0)
      assert.equal(
        t.sync.callBack((value) => value + 1, calls),
        calls + 1,
      );
  }
  assert.ok(follows > 0, 'it never followed');
});

test('workers may end while V8 compiles what makes native calls', { skip }, async () => {
  const { code, stdout, stderr } = await runProgram('native-workers.ts', ['5000'], 60_000);
  assert.match(stdout, /^\d+ workers/, stderr);
  assert.equal(code, 0);
});

test('the rules, by a program that follows', { skip }, async () => {
  const { code, stdout, stderr } = await runProgram('follow.ts');
  assert.equal(stdout, 'followed\n', stderr);
  assert.equal(code, 0);
});

interface Report {
  readonly right: boolean;
  readonly followed: boolean;
  readonly ffi: boolean | null;
}

/** Runs the program in a process of its own. */
async function program(
  mode: 'on' | 'off',
  flags: readonly string[] = [],
  wrap: readonly string[] = [],
): Promise<{ report: Report; stderr: string }> {
  const line = [...wrap, process.execPath, ...flags, fileURLToPath(fixture('handover.ts')), mode];
  const { stdout, stderr } = await promisify(execFile)(line[0]!, line.slice(1), { timeout: 20_000 });
  return { report: JSON.parse(stdout) as Report, stderr };
}

const warnings = (stderr: string): number => stderr.split('handover: true').length - 1;

test('off by default: no native function is looked for', async () => {
  const { report, stderr } = await program('off');
  assert.deepEqual(report, { right: true, followed: false, ffi: false });
  assert.equal(stderr, '');
});

test('on, a program says nothing more than Node does about node:ffi', { skip }, async () => {
  const { report, stderr } = await program('on');
  assert.equal(report.right, true);
  assert.equal(report.followed, true);
  assert.equal(report.ffi, process.getBuiltinModule('node:ffi') !== undefined);
  assert.equal(warnings(stderr), 0);
  assert.ok(stderr.split('ExperimentalWarning').length <= 2, stderr);
});

test('without leave to call native functions it does nothing, and says so once', { skip }, async () => {
  const { report, stderr } = await program('on', ['--permission', '--allow-fs-read=*', '--allow-worker']);
  assert.equal(report.right, true);
  assert.equal(report.followed, false);
  assert.equal(warnings(stderr), 1, stderr);
});

const hasTaskset = ['/bin/taskset', '/usr/bin/taskset'].some((path) => existsSync(path));

test('with one core there is nothing to hand over', { skip: !hasTaskset && 'no taskset here' }, async () => {
  const { report, stderr } = await program('on', [], ['taskset', '-c', '0']);
  assert.equal(report.right, true);
  assert.equal(report.followed, false);
  assert.equal(warnings(stderr), 0, stderr);
});
