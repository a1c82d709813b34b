/** What tasks write to the console: at once, in order, complete. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fixture, guarded, runProgram, sleep } from './support.ts';

const linesTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i}`);

guarded('a task’s lines are there while its caller is blocked', async () => {
  const { stdout } = await runProgram('talks.ts', ['blocked']);
  assert.equal(stdout, 'from the task\nin bytes\nthe program goes on\n');
});

guarded('nothing is lost when the process ends, in whatever way the task did', async () => {
  for (const [mode, last] of [
    ['much', []],
    ['killed', ['killed']],
    ['exits', ['exited']],
  ] as const) {
    const { stdout } = await runProgram('talks.ts', [mode, '5000'], 20_000);
    assert.deepEqual(stdout.trimEnd().split('\n'), [...linesTo(5000), ...last], mode);
  }
});

guarded('a reader that is slow gets everything', async () => {
  const child = spawn(process.execPath, [fileURLToPath(fixture('talks.ts')), 'much', '30000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let text = '';
  child.stdout.setEncoding('utf8');
  // The pipe is full long before anybody reads.
  await sleep(1500);
  child.stdout.on('data', (chunk: string) => {
    text += chunk;
  });
  assert.equal(await ended, 0);
  assert.deepEqual(text.trimEnd().split('\n'), linesTo(30_000));
});

guarded('errors go to stderr', async () => {
  const { stdout, stderr } = await runProgram('talks.ts', ['errors']);
  assert.equal(stdout, '');
  assert.equal(stderr, 'what went wrong\nü');
});
