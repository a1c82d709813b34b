/**
 * What "microkernel" means here, as a test: nothing that the kernel, and what tasks link of it, needs or is tested by
 * is a server. Without any of the folders of `src/servers/` all of those tests would be green; those of the kernel are
 * run in a tree that has none of them.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { importsOf, readSource } from './source.mjs';
import { filesBelow } from './toolchain.mjs';

const ROOMS = ['layout', 'platform', 'kernel', 'user', 'rpc'];
const HOST: Readonly<Record<string, string>> = {
  '#atomics': 'src/platform/atomics.ts',
  '#wait': 'src/platform/wait.ts',
};

const imports = new Map<string, string[]>();

/** Files that a file imports; each is parsed once. */
function importedBy(path: string): string[] {
  const known = imports.get(path);
  if (known !== undefined) return known;
  const targets = importsOf(readSource(path)).map(({ name }) =>
    name.startsWith('.') ? posix.join(posix.dirname(path), name) : (HOST[name] ?? ''),
  );
  const files = targets.filter((target) => target !== '' && existsSync(target));
  imports.set(path, files);
  return files;
}

/** Files that a file reaches by its imports, itself first, each with the one that imports it. */
function reachedFrom(start: string): Map<string, string> {
  const from = new Map([[start, start]]);
  for (const path of from.keys()) {
    for (const target of importedBy(path)) if (!from.has(target)) from.set(target, path);
  }
  return from;
}

const SERVERS = readdirSync('src/servers', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** Every file of the rooms below the servers, tests and their support too, that reaches a file of this folder. */
function reachers(folder: string): string[] {
  const files = ROOMS.flatMap((room) => filesBelow(`src/${room}`)).filter((path) => path.endsWith('.ts'));
  assert.ok(files.some((path) => path.endsWith('ipc.test.ts')));
  return files.flatMap((start) =>
    [...reachedFrom(start)]
      .filter(([path]) => path.startsWith(folder))
      .map(([path, by]) => `${start} reaches ${path} by ${by}`),
  );
}

for (const server of SERVERS) {
  test(`the kernel, what tasks link of it, and their tests reach no file of the server ${server}`, () => {
    assert.deepEqual(reachers(`src/servers/${server}/`), []);
  });

  test(`the server ${server} is described, and in the list of servers`, () => {
    assert.ok(existsSync(`src/servers/${server}/README.md`));
    assert.match(readFileSync('src/servers/README.md', 'utf8'), new RegExp(`\\[${server}\\]\\(${server}/README.md\\)`));
  });
}

test('nor do they reach what stands beside the folders', () => {
  assert.deepEqual(reachers('src/servers/'), []);
});

test('the tests of the kernel are green where there are no servers, and nothing else above it', () => {
  const tree = mkdtempSync(join(tmpdir(), 'l3kernel-bare-'));
  try {
    for (const path of ['package.json', 'test/support', 'src/layout', 'src/platform', 'src/kernel']) {
      cpSync(path, join(tree, path), { recursive: true });
    }
    const tests = filesBelow('src/kernel').filter((path) => path.endsWith('.test.ts'));
    const options = { cwd: tree, encoding: 'utf8', env: { ...process.env, NODE_TEST_CONTEXT: undefined } } as const;
    const { status, stdout } = spawnSync(process.execPath, ['--test', ...tests], options);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /pass \d{2,}/);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
});

test('a server that is reached is found', () => {
  assert.ok([...reachedFrom('src/index.ts').keys()].some((path) => path.startsWith('src/tasks/')));
  assert.ok(reachedFrom('src/cli/main.ts').has('src/servers/inspect/api.ts'));
});
