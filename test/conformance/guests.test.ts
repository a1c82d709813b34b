/** Worker threads that somebody else starts join the system of their process. */
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { boot, lookup, type System, task } from '../../src/index.ts';
import { assertNothingLeft, fixture, guarded, rejectionOf, systemTest, thrownBy, until } from './support.ts';

type Shared = typeof import('./fixtures/shared.ts');
const shared = (): ReturnType<typeof task<Shared>> => task<Shared>(fixture('shared.ts'), { shared: 'store' });

class Guest {
  readonly worker: Worker;

  constructor(workerData?: Int32Array | string) {
    this.worker = new Worker(fixture('guest.ts'), { execArgv: [], workerData });
  }

  next(): Promise<any> {
    return new Promise((resolve, reject) => {
      this.worker.once('message', resolve);
      this.worker.once('error', reject);
    });
  }

  ask(order: string): Promise<any> {
    const answer = this.next();
    this.worker.postMessage(order);
    return answer;
  }
}

const guestsOf = (system: System): string[] =>
  system
    .tasks()
    .map(({ name }) => name)
    .filter((name) => name.startsWith('thread '));

/** Ends the guests and waits until nothing is left of them. */
async function dismiss(system: System, ...guests: Guest[]): Promise<void> {
  for (const { worker } of guests) await worker.terminate();
  await until(() => guestsOf(system).length === 0);
}

systemTest('threads that ask at the same time get one task, in place and in the loop', async (system) => {
  const store = shared();
  const guests = [new Guest(), new Guest(), new Guest()];
  const sums = await Promise.all(guests.map((guest, i) => guest.ask(i === 1 ? 'async' : 'sync')));
  assert.deepEqual(new Set(sums), new Set([1, 2, 3]));
  assert.equal(store.sync.add(0), 3);
  const threads = await Promise.all(guests.map((guest) => guest.ask('lookup')));
  assert.deepEqual(new Set(threads), new Set([store.sync.thread()]));
  assert.equal(lookup<Shared>('store').sync.add(0), 3);
  assert.equal(guestsOf(system).length, 3);
  assert.equal((await rejectionOf(store.kill())).code, 'ERR_IPC_DENIED');
  await dismiss(system, ...guests);
  assert.equal(await store.async.add(1), 4);
});

systemTest('a thread joins and calls while the main thread is blocked', async (system) => {
  shared();
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const guest = new Guest(cell);
  assert.notEqual(Atomics.wait(cell, 0, 0, 20_000), 'timed-out');
  assert.equal(cell[0], 1);
  await dismiss(system, guest);
});

systemTest('what a thread leaves behind is repaired: its call, and the tasks that it spawned', async (system) => {
  const store = shared();
  const guest = new Guest();
  assert.equal(await guest.ask('spawn'), 5);
  const isOwnThere = (): boolean => system.tasks().some(({ name }) => name === 'own');
  assert.ok(isOwnThere());
  assert.equal(await guest.ask('hang'), 'hangs');
  await dismiss(system, guest);
  assert.equal(store.sync.add(1), 1);
  await until(() => !isOwnThere());
});

systemTest('of threads that are terminated while they join nothing is left', async (system) => {
  assert.equal(shared().sync.add(0), 0);
  for (let round = 0; round < 3; round++) {
    const guests = [new Guest('joins'), new Guest('joins'), new Guest('joins')];
    const ends = guests.map(async (guest, i) => {
      await guest.next();
      // Some in the wait for their records, some soon after it.
      const end_ms = performance.now() + 0.5 * i;
      while (performance.now() < end_ms);
      await guest.worker.terminate();
    });
    await Promise.all(ends);
  }
  await until(() => guestsOf(system).length === 0);
});

systemTest('the first call of a shared task that does not start throws', async (system) => {
  shared();
  const guest = new Guest();
  assert.equal(await guest.ask('broken'), 'ERR_IPC_SPAWN_FAILED');
  const error = await rejectionOf(task<any>(fixture('throws.ts'), { shared: 'broken' }).async.f());
  assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED');
  await dismiss(system, guest);
});

systemTest('options that a shared task cannot have are refused', () => {
  const url = fixture('shared.ts');
  assert.throws(() => task(url, { shared: 'store', host: {} }), /'host' has no meaning for a shared task/);
  assert.throws(() => task(url, { shared: 'store', name: 'x' }), /'name'/);
  assert.throws(() => task(url, { shared: 'store', kind: 'local' }), /kind is 'local'/);
  assert.throws(() => task(url, { shared: '' }), /must be a text that is not empty/);
});

systemTest('boot in a thread that is no task attaches to the system of the process', async (system) => {
  shared();
  const guest = new Guest();
  const thread = await guest.ask('thread');
  assert.deepEqual(await guest.ask('system'), ['main', 'supervisor', `thread ${thread}`]);
  await dismiss(system, guest);
});

guarded('a thread that was started before the system has one of its own', async () => {
  const guest = new Guest();
  await guest.ask('thread');
  const system = await boot();
  const store = shared();
  assert.equal(await guest.ask('sync'), 1);
  assert.equal(store.sync.add(0), 0);
  await guest.worker.terminate();
  await system.shutdown();
  assertNothingLeft();
});

guarded('a thread that outlives the system is told, and does not hang', async () => {
  const system = await boot();
  shared();
  const guest = new Guest();
  assert.equal(await guest.ask('sync'), 1);
  await system.shutdown();
  assert.match(await guest.ask('late'), /^ERR_IPC_(PEER_GONE|SHUTDOWN|NO_SUCH_THREAD)$/);
  // Its records are its own until it has ended, whatever is booted in the same memory.
  const next = await boot();
  assert.equal(task<Shared>(fixture('shared.ts')).sync.add(2), 2);
  await guest.worker.terminate();
  await next.shutdown();
});

guarded(
  'a thread that has not joined before the end of the system boots none in the memory of the process',
  async () => {
    const system = await boot();
    shared();
    const guest = new Guest();
    await guest.ask('thread');
    await system.shutdown();
    assert.equal(await guest.ask('boot'), 'ERR_IPC_SHUTDOWN');
    await guest.worker.terminate();
  },
);

guarded('a thread of an earlier system asks nobody to start its task when there is another', async () => {
  const system = await boot();
  shared();
  const guest = new Guest();
  assert.equal(await guest.ask('sync'), 1);
  await system.shutdown();
  const next = await boot();
  assert.equal((await next.spawn<Shared>(fixture('shared.ts'))).sync.add(2), 2);
  assert.equal(await guest.ask('spawnLate'), 'ERR_IPC_SHUTDOWN');
  await guest.worker.terminate();
  await next.shutdown();
});

guarded('a shared task is not started while the system shuts down', async () => {
  const system = await boot();
  const store = shared();
  assert.equal(store.sync.add(1), 1);
  const ended = system.shutdown();
  const other = task<any>(fixture('shared.ts'), { shared: 'other' });
  let isOver = false;
  void ended.then(() => (isOver = true));
  while (!isOver) {
    assert.equal(thrownBy(() => other.sync.add(1)).code, 'ERR_IPC_SHUTDOWN');
    await new Promise((resolve) => setImmediate(resolve));
  }
});
