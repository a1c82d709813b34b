/** Every way to make a thread or a process is noticed, by named imports too, and works as before. */
import assert from 'node:assert/strict';
import childProcess, { exec, execFile, execFileSync, execSync, fork, spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { beforeSpawn } from './spawn-guard.ts';

test('something is done before a thread or a process is made', async () => {
  let times = 0;
  beforeSpawn(() => times++);
  const node = process.execPath;
  const ended = (child: { once(event: 'exit', listener: (code: number) => void): unknown }): Promise<number> =>
    new Promise((resolve) => child.once('exit', resolve));
  class OwnWorker extends Worker {}
  const ways: [string, () => Promise<unknown>][] = [
    ['spawn', () => ended(spawn(node, ['--version'], { stdio: 'ignore' }))],
    ['spawn, as a property', () => ended(childProcess.spawn(node, ['--version'], { stdio: 'ignore' }))],
    ['exec', () => ended(exec(`"${node}" --version`))],
    ['execFile', () => ended(execFile(node, ['--version']))],
    ['fork', () => ended(fork('--eval', ['0'], { stdio: 'ignore', execArgv: [] }))],
    ['spawnSync', async () => spawnSync(node, ['--version']).status],
    ['execFileSync', async () => (execFileSync(node, ['--version'], { encoding: 'utf8' }).startsWith('v') ? 0 : 1)],
    ['execSync', async () => (execSync(`"${node}" --version`, { encoding: 'utf8' }).startsWith('v') ? 0 : 1)],
    ['Worker', () => ended(new Worker('0', { eval: true }))],
    ['a class of Worker', () => ended(new OwnWorker('0', { eval: true }))],
  ];
  for (const [name, way] of ways) {
    times = 0;
    const code = await way();
    assert.ok(times > 0, name);
    if (name !== 'fork') assert.equal(code, 0, name);
  }
  assert.ok(new OwnWorker('0', { eval: true }) instanceof Worker);
});
