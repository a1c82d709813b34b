/**
 * Signals of the process, in child processes: while the loop turns, while the thread sleeps, beside a user's handler.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const WATCHDOG = { timeout: 20_000 };

/** Runs a program that may call `handleSignals` and `wait`; resolves when it has printed "ready". */
async function start(text: string): Promise<{ child: ChildProcess; printed: () => string; ended: Promise<unknown[]> }> {
  const program = `
    import { writeSync } from 'node:fs';
    import { handleSignals, stopHandlingSignals } from ${JSON.stringify(new URL('./signals.ts', import.meta.url).href)};
    import { wait } from ${JSON.stringify(new URL('./wait.ts', import.meta.url).href)};
    const say = (text) => writeSync(1, text + '\\n');
    ${text}
    say('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  const ended = once(child, 'close');
  await new Promise<void>((resolve) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('ready')) resolve();
    });
  });
  return { child, printed: () => printed, ended };
}

const TELLS = `handleSignals(async (signal) => { say('told ' + signal); });`;
const STAYS = `setInterval(() => {}, 1e6);`;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`SIG0010 ${signal} in the loop: the action runs, then the process ends by the signal`, WATCHDOG, async () => {
    const { child, printed, ended } = await start(TELLS + STAYS);
    child.kill(signal);
    assert.deepEqual(await ended, [null, signal]);
    assert.match(printed(), new RegExp(`told ${signal}`));
  });
}

test('SIG0011 while the thread sleeps, the signal ends the process at once', WATCHDOG, async () => {
  const { child, printed, ended } = await start(
    `${TELLS + STAYS} setTimeout(() => { say('asleep'); wait(1, 0, 1e9); });`,
  );
  while (!printed().includes('asleep')) await once(child.stdout!, 'data');
  await new Promise((resolve) => setTimeout(resolve, 100));
  child.kill('SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT']);
  assert.doesNotMatch(printed(), /told/);
});

test('SIG0012 after a sleep the action runs again', WATCHDOG, async () => {
  const { child, printed, ended } = await start(`${TELLS + STAYS} wait(1, 0, 50);`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  child.kill('SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT']);
  assert.match(printed(), /told SIGINT/);
});

test('SIG0013 a second signal does not wait for the action', WATCHDOG, async () => {
  const { child, printed, ended } = await start(
    `handleSignals(() => { say('told'); return new Promise(() => {}); }); ${STAYS}`,
  );
  child.kill('SIGINT');
  while (!printed().includes('told')) await once(child.stdout!, 'data');
  child.kill('SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT']);
});

test("SIG0014 a user's own handler decides", WATCHDOG, async () => {
  const { child, printed, ended } = await start(
    `${TELLS} process.on('SIGINT', () => { say('mine'); process.exit(7); }); ${STAYS}`,
  );
  child.kill('SIGINT');
  assert.deepEqual(await ended, [7, null]);
  assert.doesNotMatch(printed(), /told/);
});

test("SIG0016 a user's own handler for one signal decides, though it is gone when it has run", WATCHDOG, async () => {
  const { child, printed, ended } = await start(
    `process.once('SIGINT', () => { say('mine'); setTimeout(() => process.exit(7), 100); }); ${TELLS + STAYS}`,
  );
  child.kill('SIGINT');
  assert.deepEqual(await ended, [7, null]);
  assert.doesNotMatch(printed(), /told/);
});

test('SIG0015 after it is over, signals do what they do by default', WATCHDOG, async () => {
  const { child, printed, ended } = await start(`${TELLS} stopHandlingSignals(); ${STAYS}`);
  child.kill('SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT']);
  assert.doesNotMatch(printed(), /told/);
});
