/**
 * Rings of calls that can never end: one of them ends in ERR_IPC_DEADLOCK, with the names of the ring, and the others
 * go on. And what only looks like one.
 */
import assert from 'node:assert/strict';
import type { System, Task } from '../../src/index.ts';
import { STALL_ms } from '../../src/layout/params.ts';
import { fixture, rejectionOf, sleep, systemTest, thrownBy, until } from './support.ts';

const url = fixture('rings.ts');
/** Tasks with these names that know each other. */
async function spawnRing(system: System, names: string[], options = {}): Promise<Task[]> {
  const tasks = await Promise.all(names.map((name) => system.spawn(url, { name, ...options })));
  tasks.forEach((task, i) => task.sync.connect(names.filter((name) => name !== names[i])));
  return tasks;
}
const namesOf = (count: number): string[] => 'abcdefghij'.slice(0, count).split('');
/** From the first task round to itself. */
const round = (names: string[]): string[] => [...names.slice(1), names[0]!];
const told = (tasks: Task[]): any[] => tasks.map((task) => task.sync.told());

for (const size of [3, 4, 7]) {
  systemTest(`a ring of ${size} tasks ends at the last call, and the others go on`, async (system) => {
    const names = namesOf(size);
    const tasks = await spawnRing(system, names);
    for (const how of ['sync', 'async'] as const) {
      const path = await tasks[0]![how].passOrTell(round(names));
      assert.deepEqual(path, [...names.slice(1), 'ERR_IPC_DEADLOCK']);
      const errors = told(tasks);
      assert.deepEqual(errors.slice(0, -1), Array(size - 1).fill(null));
      const steps = names.map((name) => `${name}.passOrTell()`).join(' -> ');
      assert.equal(errors.at(-1).message, `a.passOrTell(): everybody waits for the next: ${steps} -> a`);
    }
    // The same calls without a ring.
    assert.deepEqual(tasks[0]!.sync.pass(names.slice(1)), names.slice(1));
  });
}

for (const way of ['to', 'from'] as const) {
  systemTest(`a ring with a long message ${way} the loop of a task that is blocked`, async (system) => {
    const [a, b] = await spawnRing(system, ['a', 'b', 'c']);
    const burning = way === 'to' ? b!.async.burn(200) : undefined;
    await sleep(50);
    const [end, length] = (await a!.async.passAmid('b', way, ['c', 'b'])) as [string, number];
    assert.match(end, /ERR_IPC_DEADLOCK$/);
    assert.equal(length, 4e6);
    await burning;
    assert.deepEqual(b!.sync.pass(['a', 'c']), ['a', 'c']);
  });
}

systemTest('a ring of a callback and a long message is broken at the message', async (system) => {
  const [a, b] = await spawnRing(system, ['a', 'b']);
  for (let turn = 0; turn < 5; turn++) {
    assert.equal(await a!.async.sendAndBackBy('b', 'a'), 1);
    const sent = await b!.async.lengthSent();
    if (sent !== 4e6) assert.equal(sent, 'ERR_IPC_DEADLOCK');
    assert.deepEqual([a!.sync.pass(['b']), b!.sync.pass(['a'])], [['b'], ['a']]);
  }
});

for (const how of ['sendAt', 'fetchAt'] as const) {
  systemTest(`two loops with a long message under way to each other: ${how}`, async (system) => {
    const [a, b] = await spawnRing(system, ['a', 'b']);
    for (let turn = 0; turn < 3; turn++) {
      const time_ms = Date.now() + 100;
      const ends = await Promise.all([a!.async[how](time_ms, 'b'), b!.async[how](time_ms, 'a')]);
      for (const end of ends) if (end !== 4e6) assert.match(end, /ERR_IPC_DEADLOCK|ERR_IPC_PEER_GONE/);
      assert.ok(ends.includes(4e6), ends.join());
      assert.deepEqual([a!.sync.pass(['b']), b!.sync.pass(['a'])], [['b'], ['a']]);
    }
  });
}

for (const how of ['laterBurnAndBack', 'laterBurnAndThrow', 'burnAndBack', 'burnAndThrow']) {
  systemTest(`two tasks call back a caller that is blocked by the other: both calls end: ${how}`, async (system) => {
    const [a, b] = await spawnRing(system, ['a', 'b']);
    for (let turn = 0; turn < 3; turn++) {
      // One callback is ended, and its caller answers before the other task has got to serving it.
      const ends = [a!.async.callAndBeCalledBack('b', how, 100), b!.async.callAndBeCalledBack('a', how, 100)];
      const errors = (await Promise.all(ends)).filter((end) => end !== 'back');
      // Without the await one may be through before the other begins.
      const isRing = how.startsWith('later') || errors.length > 0;
      assert.deepEqual(errors, isRing ? ['ERR_IPC_DEADLOCK'] : []);
      assert.deepEqual([a!.sync.pass(['b']), b!.sync.pass(['a'])], [['b'], ['a']]);
    }
  });
}

systemTest('an error of a ring that nobody catches reaches the first caller', async (system) => {
  const [a] = await spawnRing(system, ['a', 'b', 'c']);
  for (const error of [
    thrownBy(() => a!.sync.pass(['b', 'c', 'a'])),
    await rejectionOf(a!.async.pass(['b', 'c', 'a'])),
  ]) {
    assert.equal(error.code, 'ERR_IPC_DEADLOCK', String(error));
    assert.match(error.message, /a\.pass\(\) -> b\.pass\(\) -> c\.pass\(\) -> a$/);
  }
});

systemTest('a call is told by its own name when it has served a callback', async (system) => {
  const [a, b] = await spawnRing(system, ['a', 'b', 'c']);
  assert.deepEqual(a!.sync.passWithCallback(['b', 'c']), ['back!', 'c']);
  for (const how of ['sync', 'async'] as const) {
    const error = await rejectionOf((async () => a![how].passWithCallback(['b', 'c', 'a']))());
    assert.match(error.message, /: a\.pass\(\) -> b\.passBack\(\) -> c\.pass\(\) -> a$/);
  }
  assert.deepEqual(b!.sync.pass(['c']), ['c']);
});

systemTest('a ring through the program itself, blocked in .sync', async (system) => {
  let asked = 0;
  const host = {
    pass: (path: string[]): string[] => {
      asked++;
      return path;
    },
  };
  const [a, b] = await spawnRing(system, ['a', 'b'], { host });
  assert.deepEqual(a!.sync.passOrTell(['b', 'host']), ['b', 'ERR_IPC_DEADLOCK']);
  assert.match(
    b!.sync.told().message,
    /^host\.pass\(\): .*: host\.pass\(\) -> a\.passOrTell\(\) -> b\.passOrTell\(\) -> main$/,
  );
  // It lies in the line of the program's server: as after a timeout, its answer is dropped.
  assert.equal(asked, 0);
  // Its loop is free with .async, and a task calls back the one that calls it.
  assert.deepEqual(await a!.async.passOrTell(['b', 'host', 'x']), ['b', 'host', 'x']);
  assert.deepEqual(a!.sync.passOrTell(['host', 'y']), ['host', 'y']);
  assert.equal(asked, 3);
});

systemTest('a module that calls its chief while that waits for it to start', async (system) => {
  const early = fixture('asks-early.ts');
  const host = { answer: () => 42 };
  const error = thrownBy(() => system.spawnSync(early, { host }));
  assert.equal(error.code, 'ERR_IPC_SPAWN_FAILED', String(error));
  assert.equal(error.cause.code, 'ERR_IPC_DEADLOCK');
  assert.match(error.cause.message, /^host\.answer\(\): .*: host\.answer\(\) -> the start of asks-early -> main$/);
  const t = await system.spawn(early, { host });
  assert.equal(t.sync.early(), 42);
});

systemTest('a ring through a local task of the program', async (system) => {
  const [a, b] = await spawnRing(system, ['a', 'b']);
  const inner = await system.spawn(url, { kind: 'local', name: 'inner' });
  await Promise.all([a!, b!].map((task) => task.async.connect(['inner'])));
  inner.sync.connect(['a', 'b']);
  // Called on the stack of the program, and from a worker while the program is blocked by another thread.
  for (const [first, path] of [
    [inner, ['a', 'b', 'inner']],
    [a!, ['b', 'inner']],
  ] as const) {
    const error = thrownBy(() => first.sync.pass(path));
    assert.equal(error.code, 'ERR_IPC_DEADLOCK', String(error));
    assert.match(error.message, /: inner\.pass\(\)( \(in main\))? -> a\.pass\(\) -> b\.pass\(\) -> inner$/);
  }
  assert.deepEqual(inner.sync.pass(['a', 'inner', 'a', 'b']), ['a', 'inner', 'a', 'b']);
  assert.deepEqual(await a!.async.pass(['b', 'inner', 'b']), ['b', 'inner', 'b']);
});

systemTest('a ring through a local task of a worker', async (system) => {
  const [a] = await spawnRing(system, ['a']);
  await a!.async.start('inner', 'local');
  await a!.async.start('child', 'worker');
  await a!.async.acquaint('child', ['inner']);
  const error = thrownBy(() => a!.sync.pass(['child', 'inner']));
  assert.equal(error.code, 'ERR_IPC_DEADLOCK', String(error));
  assert.match(error.message, /: inner\.pass\(\) \(in a\) -> child\.pass\(\) -> inner$/);
  assert.deepEqual(a!.sync.pass(['inner']), ['inner']);
});

systemTest('a ring of two is an upcall when one call follows from the other', async (system) => {
  const [a] = await spawnRing(system, ['a', 'b']);
  const path = ['b', 'a', 'b', 'a', 'b'];
  for (let i = 0; i < 50; i++) assert.deepEqual(a!.sync.pass(path), path);
  assert.deepEqual(await a!.async.pass(path), path);
});

systemTest('two tasks that call each other of their own accord are a ring', async (system) => {
  const [a, b] = await spawnRing(system, ['a', 'b']);
  // Whether they meet is a matter of time: until they have.
  for (let tries = 0; ; tries++) {
    const at_ms = Date.now() + 30;
    const outcomes = await Promise.all([a!.async.callAt(at_ms, 'b'), b!.async.callAt(at_ms, 'a')]);
    const failed = outcomes.filter((outcome: string) => outcome !== 'done');
    if (failed.length === 0 && tries < 200) continue;
    assert.equal(failed.length, 1, String(outcomes));
    assert.match(failed[0], /^ERR_IPC_DEADLOCK: .*: ([ab])\.pass\(\) -> [ab]\.pass\(\) -> \1$/);
    break;
  }
  assert.deepEqual(a!.sync.pass(['b']), ['b']);
});

systemTest('a ring with a timeout ends in one of the two errors, and leaves nothing', async (system) => {
  const [a, b, c] = await spawnRing(system, ['a', 'b', 'c']);
  for (const time_ms of [1, 5, 60, 400]) {
    b!.sync.limit(time_ms);
    const path = a!.sync.passOrTell(['b', 'c', 'a']);
    const errors = told([a!, b!, c!]);
    assert.ok(errors[0] === null);
    assert.ok(
      errors.some((error) => error !== null && /DEADLOCK|TIMEOUT/.test(error.code)),
      String(path),
    );
    b!.sync.limit(0);
    assert.deepEqual(a!.sync.pass(['b', 'c']), ['b', 'c']);
  }
});

systemTest('loops at their limit of handlers that wait for each other', async (system) => {
  for (const size of [2, 3, 5]) {
    const names = namesOf(size).map((name) => `${name}${size}`);
    const tasks = await spawnRing(system, names, { concurrency: 1 });
    const error = await rejectionOf(tasks[0]!.async.passLater(round(names)));
    assert.equal(error.code, 'ERR_IPC_DEADLOCK', String(error));
    const steps = names.map((name) => `${name}.passLater()`).join(' -> ');
    assert.ok(error.message.endsWith(`: ${steps} -> ${names[0]}`), error.message);
    assert.deepEqual(await tasks[0]!.async.passLater(names.slice(1)), names.slice(1));
  }
});

systemTest('a loop with something else to do is no member of a ring', async (system) => {
  const [a] = await spawnRing(system, ['a', 'b'], { concurrency: 1 });
  // A handler that gives up by itself, and one that does not wait for its call.
  assert.deepEqual(await a!.async.passOrTime(['b', 'a'], 700), ['time']);
  assert.equal(await a!.async.passAside(['b', 'a'], 700), 'aside');
  assert.equal(a!.sync.told(), null);
});

systemTest('as many handlers as it takes are no ring', async (system) => {
  const [a, b] = await spawnRing(system, ['a', 'b'], { concurrency: 4 });
  const path = ['b', 'a', 'b', 'a', 'b'];
  assert.deepEqual(await a!.async.passLater(path), path);
  assert.deepEqual(await b!.async.passLater(['a', 'b', 'a']), ['a', 'b', 'a']);
});

const lines: string[] = [];
const log = (line: string): void => void lines.push(line);

systemTest('a loop that sends a long message and its receiver, which calls it in place, are a ring', async (system) => {
  const [a, b] = await spawnRing(system, ['a', 'b']);
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const passed = a!.async.spinThenPass('b', flags);
  await until(() => Atomics.load(flags, 0) === 1);
  assert.equal(await b!.async.sendLong('a', flags), 3 << 20);
  assert.equal(await passed, 'ERR_IPC_DEADLOCK');
});

systemTest(
  'a call that takes too long is told once, with who waits for whom',
  async (system) => {
    const [a, b] = await spawnRing(system, ['a', 'b']);
    lines.length = 0;
    const long = a!.async.burnAt('b', STALL_ms + 2000);
    await a!.async.passLater([]);
    await long;
    await b!.async.pass([]);
    const told = lines.map((line) => line.replace(/\d+\.\d s/, 'N s'));
    assert.ok(
      told.includes('main has waited N s for a.burnAt(): a waits for b.burn(); b is on the CPU'),
      String(lines),
    );
    assert.ok(told.includes('a has waited N s for b.burn(): b is on the CPU'), String(lines));
    assert.equal(new Set(told).size, told.length, String(lines));
    // Another call of the loop waits for its turn behind it.
    assert.ok(
      told.some((line) => line.startsWith('main has waited N s for a.passLater(): it is not taken yet; a waits')),
    );
  },
  { log },
);
