/**
 * Signals of the whole process, in child processes: tasks are told, a blocked main thread ends, a user's own handler.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const WATCHDOG = { timeout: 60_000 };
const library = JSON.stringify(new URL('../../src/index.ts', import.meta.url).href);
const lasting = JSON.stringify(new URL('fixtures/lasting.ts', import.meta.url).href);

/** A program with a system and a task `t`; `has` waits until it has printed a word. */
function start(text: string): {
  child: ChildProcess;
  has: (word: string) => Promise<void>;
  ended: Promise<unknown[]>;
  printed: () => string;
} {
  const program = `
    import { writeSync } from 'node:fs';
    import { boot } from ${library};
    const say = (text) => writeSync(1, text + '\\n');
    const system = await boot();
    const t = await system.spawn(${lasting});
    t.sync.add(1, 2);
    ${text}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout!.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const has = async (word: string): Promise<void> => {
    while (!printed.includes(word)) await once(child.stdout!, 'data');
  };
  return { child, has, ended: once(child, 'close'), printed: () => printed };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} while the loop turns: the tasks are told, and the process ends by it`, WATCHDOG, async () => {
    // From a timer: until the loop has turned after a blocking call, a signal does what it does by default.
    const { child, has, ended, printed } = start(`setInterval(() => {}, 1e6); setTimeout(() => say('ready'), 20);`);
    await has('ready');
    child.kill(signal);
    assert.deepEqual(await ended, [null, signal]);
    assert.match(printed(), /the task was told/);
  });
}

test('Ctrl-C ends a main thread that is blocked in a call for ever', WATCHDOG, async () => {
  const { child, has, ended } = start(`say('ready'); t.sync.never();`);
  await has('ready');
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill('SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT']);
});

test("a user's own handler decides, and may shut down by itself", WATCHDOG, async () => {
  const { child, has, ended, printed } = start(`
    setInterval(() => {}, 1e6);
    process.on('SIGINT', async () => { say('mine'); await system.shutdown(); process.exit(3); });
    say('ready');`);
  await has('ready');
  child.kill('SIGINT');
  assert.deepEqual(await ended, [3, null]);
  assert.match(printed(), /mine/);
});

test(
  'a handler that ends the process only if it finds no other, as that of signal-exit, ends it',
  WATCHDOG,
  async () => {
    const { child, has, ended } = start(`
    setInterval(() => {}, 1e6);
    const handle = () => {
      if (process.listeners('SIGINT').length > 1) return say('another');
      process.off('SIGINT', handle);
      process.kill(process.pid, 'SIGINT');
    };
    process.on('SIGINT', handle);
    setTimeout(() => say('ready'), 20);
    setTimeout(() => process.exit(9), 5000);`);
    await has('ready');
    child.kill('SIGINT');
    assert.deepEqual(await ended, [null, 'SIGINT']);
  },
);

test('a second Ctrl-C does not wait for a task that does not end', WATCHDOG, async () => {
  const { child, has, ended } = start(`
    setInterval(() => {}, 1e6);
    t.async.busy().catch(() => {});
    setTimeout(() => say('ready'), 200);`);
  await has('ready');
  child.kill('SIGINT');
  child.kill('SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT']);
});

test(
  'after the shutdown a signal does what it does by default, and the process can end by itself',
  WATCHDOG,
  async () => {
    const first = start(`await system.shutdown(); setInterval(() => {}, 1e6); say('ready');`);
    await first.has('ready');
    first.child.kill('SIGINT');
    assert.deepEqual(await first.ended, [null, 'SIGINT']);
    const second = start(`await system.shutdown(); say(process.listenerCount('SIGINT') + ' listeners');`);
    assert.deepEqual(await second.ended, [0, null]);
    assert.match(second.printed(), /0 listeners/);
  },
);
