/**
 * What "microkernel" means here, as a test: nothing that the kernel, and what tasks link of it, needs or is tested by
 * is a server. Without `src/servers/` all of those tests would be green.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
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

test('the kernel, what tasks link of it, and their tests reach no server', () => {
  const files = ROOMS.flatMap((room) => filesBelow(`src/${room}`)).filter((path) => path.endsWith('.ts'));
  assert.ok(files.some((path) => path.endsWith('ipc.test.ts')));
  const found = files.flatMap((start) =>
    [...reachedFrom(start)]
      .filter(([path]) => path.startsWith('src/servers/'))
      .map(([path, by]) => `${start} reaches ${path} by ${by}`),
  );
  assert.deepEqual(found, []);
});

test('a server that is reached is found', () => {
  assert.ok([...reachedFrom('src/index.ts').keys()].some((path) => path.startsWith('src/tasks/')));
  assert.ok(reachedFrom('src/cli/main.ts').has('src/servers/inspect/api.ts'));
});
