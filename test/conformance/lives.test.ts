/** Ends of tasks at awkward moments: amid a replacement, a start, the end of a spare. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { join } from 'node:path';
import { SHARE_ENV } from 'node:worker_threads';
import { boot, lookup, type System, task } from '../../src/index.ts';
import { repairTask } from '../../src/kernel/fault.ts';
import { HEADER_TASKS_MAX, HEADER_THREADS_MAX } from '../../src/layout/map.ts';
import { TASK_ALIVE, TASK_REPLACED, TASK_SERVER, TASK_SPARE, TASK_STATE, taskAt } from '../../src/layout/task.ts';
import type { TaskRecord } from '../../src/layout/task.ts';
import { KIND_MASK, TCB_STATE, TCB_TASK, tcbAt, tcbOf, WAIT } from '../../src/layout/tcb.ts';
import { compareExchange, load, peek } from '../../src/platform/atomics.ts';
import { agent, holder, idOf } from '../../src/user/agent.ts';
import { fixture, guarded, rejectionOf, sleep, systemTest, tasksOf, thrownBy, until } from './support.ts';

const mortal = fixture('mortal.ts');
const GONE = 'ERR_IPC_PEER_GONE';

const records = (state: number): TaskRecord[] =>
  Array.from({ length: 64 }, (_, i) => taskAt(i + 1)).filter((record) => load(record + TASK_STATE) === state);

const kindOf = (id: number): number => load(tcbOf(id) + TCB_STATE) & KIND_MASK;

const recordOf = (id: number): TaskRecord => records(TASK_ALIVE).find((record) => peek(record + TASK_SERVER) === id)!;

systemTest('a task is replaced although whoever found that it hangs has ended before it asked', async (system) => {
  const t = await system.spawn<any>(mortal, { onTimeout: 'kill' });
  const { id } = t;
  const looping = rejectionOf(t.async.loop());
  await sleep(20);
  assert.equal(compareExchange(recordOf(id) + TASK_STATE, TASK_ALIVE, TASK_REPLACED), TASK_ALIVE);
  const gone = await looping;
  assert.equal(gone.code, GONE);
  assert.match(gone.message, /killed after a call took longer than its timeout/);
  assert.equal(t.sync.add(1, 2), 3);
  assert.notEqual(t.id, id);
});

systemTest('a spare that has just ended is not put in place of a task that hangs', async (system) => {
  const t = await system.spawn<any>(mortal, { onTimeout: 'kill' });
  const spares = (): TaskRecord[] => records(TASK_SPARE).filter((spare) => kindOf(peek(spare + TASK_SERVER)) === WAIT);
  await until(() => spares().length === 1);
  // As its own last act does.
  repairTask(spares()[0]!, holder());
  assert.equal(thrownBy(() => t.with({ timeout: 50 }).sync.loop()).code, 'ERR_IPC_TIMEOUT');
  assert.equal(t.with({ timeout: 20_000 }).sync.add(1, 2), 3);
  assert.equal(await t.with({ timeout: 20_000 }).async.add(1, 2), 3);
  assert.equal(system.tasks().find(({ id }) => id === t.id)!.counts['restarts'], 1);
});

systemTest('who did not know that a task was replaced is not held up by its native code', async (system) => {
  const t = await system.spawn<any>(mortal, { onTimeout: 'kill', name: 'native' });
  const folder = mkdtempSync(join(tmpdir(), 'l3-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  try {
    // Another stub of the same task: nobody tells it.
    const other = lookup('native') as any;
    const { id } = t;
    assert.equal((await rejectionOf(t.with({ timeout: 50 }).async.read(pipe))).code, 'ERR_IPC_TIMEOUT');
    await until(() => t.id !== id);
    assert.equal(await other.async.add(1, 2), 3);
    // It was still there.
    assert.equal(records(TASK_REPLACED).length, 1);
  } finally {
    writeFileSync(pipe, '');
    rmSync(folder, { recursive: true });
  }
});

/** Ids of the threads of this agent that may wait for a start. */
function callers(): number[] {
  const own = Array.from({ length: 64 }, (_, i) => tcbAt(i + 1)).filter((tcb) => peek(tcb + TCB_TASK) === agent.taskId);
  return own.filter((tcb) => tcb !== agent.server).map(idOf);
}

async function cancelledStart(system: System, start: (options: object) => unknown): Promise<void> {
  const other = await system.spawn<any>(mortal);
  const env = { ...process.env, START_MS: '200' };
  other.sync.cancelAny(callers());
  const error = await rejectionOf((async () => start({ env, restart: 'always', name: 'cancelled' }))());
  assert.equal(error.code, 'ERR_IPC_ABORTED', String(error));
  assert.match(error.message, /'cancelled' did not start: the wait for it was cancelled/);
  await until(() => tasksOf(system).length === 2);
  // Nothing of it is left in the way of the next.
  assert.equal((await system.spawn<any>(mortal, { name: 'cancelled' })).sync.add(1, 2), 3);
}

systemTest('a start that is cancelled in place ends, and with it the task', (system) =>
  cancelledStart(system, (options) => system.spawnSync(mortal, options)),
);

systemTest('a start that is cancelled in the event loop ends, and with it the task', (system) =>
  cancelledStart(system, (options) => system.spawn(mortal, options)),
);

systemTest('a task that ends while it loads is waited for in both ways at once', async (system) => {
  const good = await system.spawn<any>(mortal);
  const t = task<any>(fixture('exits.ts'));
  const later = rejectionOf(t.async.f());
  const starts = (): boolean => callers().some((id) => kindOf(id) === WAIT);
  while (!starts()) await turn();
  // Its own last act ends our wait; that it has ended we hear later.
  while (starts()) await turn();
  await turn();
  assert.equal(thrownBy(() => t.sync.f()).code, 'ERR_IPC_SPAWN_FAILED');
  assert.equal((await later).code, 'ERR_IPC_SPAWN_FAILED');
  const numbers = Array.from({ length: 20 }, (_, i) => i);
  assert.deepEqual(await Promise.all(numbers.map((i) => good.async.add(i, 0))), numbers);
});

systemTest('what is killed before it is ready ends although its module hangs', async (system) => {
  const folder = mkdtempSync(join(tmpdir(), 'l3-'));
  const hangs = join(folder, 'hangs.mjs');
  const second = join(folder, 'second.mjs');
  writeFileSync(hangs, 'for (;;);');
  // In the first thread that loads it this module fails, in all others it hangs.
  const once = 'process.env.ONCE === undefined';
  writeFileSync(second, `if (${once}) { process.env.ONCE = '1'; throw new Error('first'); } for (;;);`);
  try {
    const t = task<any>(hangs);
    const call = rejectionOf(t.async.f());
    await until(() => tasksOf(system).length === 2);
    await t.kill();
    assert.equal((await call).code, 'ERR_IPC_SPAWN_FAILED');
    const pool = system.spawn(second, { instances: 2, env: SHARE_ENV });
    assert.equal((await rejectionOf(pool)).code, 'ERR_IPC_SPAWN_FAILED');
    assert.equal(tasksOf(system).length, 1);
  } finally {
    delete process.env['ONCE'];
    rmSync(folder, { recursive: true });
  }
});

systemTest('a task that has shut down what it booted can boot again', async (system) => {
  const t = await system.spawn<typeof import('./fixtures/process.ts')>(fixture('process.ts'));
  for (let round = 0; round < 3; round++) assert.equal(await t.async.bootAgain(), 3);
  assert.equal(tasksOf(system).length, 2);
});

systemTest('a first task whose options go through no port leaves no supervisor behind', async (system) => {
  const env = { ...process.env, SYMBOL: Symbol('s') } as never;
  const limits = [peek(HEADER_TASKS_MAX), peek(HEADER_THREADS_MAX)];
  for (let i = 0; i < 3; i++) {
    assert.equal((await rejectionOf(system.spawn(mortal, { env }))).code, 'ERR_IPC_SPAWN_FAILED');
    assert.equal(thrownBy(() => system.spawnSync(mortal, { env })).code, 'ERR_IPC_SPAWN_FAILED');
  }
  assert.equal(system.tasks().length, 1);
  assert.deepEqual([peek(HEADER_TASKS_MAX), peek(HEADER_THREADS_MAX)], limits);
  assert.equal((await system.spawn<any>(mortal)).sync.add(1, 2), 3);
});

guarded('the limits of a system end with it', async () => {
  await (await boot({ limits: { calls: 1 }, context: { capture: () => 1, run: (_, f) => f() } })).shutdown();
  const system = await boot();
  const t = await system.spawn<any>(mortal);
  void rejectionOf(t.async.never());
  assert.equal(await t.async.add(1, 2), 3);
  await system.shutdown();
});
