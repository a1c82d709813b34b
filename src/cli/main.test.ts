/** Tests of the command line: exit codes, and which stream says what. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'l3-cli-'));
after(() => rmSync(folder, { recursive: true }));

function l3(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

function program(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('help and version go to stdout', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  assert.deepEqual(l3('--version'), { code: 0, out: `${version}\n`, err: '' });
  assert.match(l3('--help').out, /^Usage: l3 /);
  assert.equal(l3('-h').code, 0);
  assert.match(l3('bench', '--help').out, /^Usage: l3 /);
});

test('a wrong command line is told apart by exit code 2', () => {
  for (const args of [[], ['nope'], ['--nope'], ['constructor'], ['run'], ['run', 'missing.ts'], ['run', '.']]) {
    const { code, out, err } = l3(...args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, /^l3( run)?: |^Usage: /, args.join(' '));
  }
  assert.match(l3('nope').err, /there is no command 'nope'/);
  assert.match(l3('run', 'missing.ts').err, /there is no file .*missing\.ts/);
});

test('bench tells a wrong option, a time that is none and a suite that there is not', () => {
  for (const args of [
    ['--nope'],
    ['pingpong', '--seconds', 'soon'],
    ['nope'],
    ['use', '--report', 'x.html'],
    ['--report'],
  ]) {
    const { code, out, err } = l3('bench', ...args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, /^l3 bench: |^Usage: /, args.join(' '));
  }
});

test('demo shows every step, and leaves nothing', () => {
  const { code, out, err } = l3('demo');
  assert.deepEqual([code, err], [0, '']);
  for (const line of [
    /sync\.add\(1, 2\) +\d.* µs\n/,
    /postMessage, await the message +\d.* µs\n/,
    /ERR_IPC_PEER_GONE, after .*\n.*exit code 3/,
    /3: it was started again/,
    /ERR_IPC_TIMEOUT, after/,
    /3: another one has its place/,
    /\[1, 3, 5\], asked 5 times/,
    /ERR_IPC_PEER_GONE, after .*\n.*limits\.time/,
  ]) {
    assert.match(out, line);
  }
  assert.equal(l3('demo', 'x').code, 2);
});

test('run gives the module its path and its own arguments', () => {
  const path = program('args.mjs', 'console.log(JSON.stringify(process.argv.slice(1)));');
  const { code, out, err } = l3('run', 'args.mjs', 'a', '--help');
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(JSON.parse(out), [path, 'a', '--help']);
});

test('run keeps the exit code that the module chooses', () => {
  program('seven.mts', 'const code: number = 7; setTimeout(() => (process.exitCode = code), 1);');
  assert.equal(l3('run', 'seven.mts').code, 7);
});

test('run prints the error of a module that fails', () => {
  program('fails.mjs', "throw new Error('no luck');");
  const { code, err } = l3('run', 'fails.mjs');
  assert.equal(code, 1);
  assert.match(err, /fails\.mjs failed: Error: no luck\n\s+at .*fails\.mjs:1/);
});
