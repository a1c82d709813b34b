/** The program interrupted before it listens: its exit code says so, and nothing is left. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeFixture, run } from './fixture.ts';
import type { Fixture } from './fixture.ts';

let fixture: Fixture;
before(() => (fixture = makeFixture()));
after(() => fixture.remove());

const limits = { timeout: 60_000 };

/** Starts with `args`, interrupts when `text` was printed, and sees what is left besides an index that was complete. */
async function interrupted(
  signal: NodeJS.Signals,
  text: string,
  args: string[],
): Promise<[code: number, left: string[]]> {
  const base = mkdtempSync(join(tmpdir(), 'l3kernel-docs-test-'));
  const [scratch, cache] = [join(base, 'scratch'), join(base, 'cache')];
  for (const folder of [scratch, cache]) mkdirSync(folder);
  const running = run([fixture.folder, '--cache', cache, ...args], {
    ...{ PORT: '0', TMPDIR: scratch, NODE_COMPILE_CACHE: join(base, 'compiled') },
  });
  const watchdog = setTimeout(() => running.process.kill('SIGKILL'), 40_000);
  try {
    await running.prints(text);
    running.process.kill(signal);
    const { code } = await running.ended;
    const files = [scratch, cache].flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }));
    return [code ?? -1, files.filter((path) => /l3kernel-docs|index\.sqlite./.test(path))];
  } finally {
    clearTimeout(watchdog);
    rmSync(base, { recursive: true, force: true });
  }
}

for (const [signal, wanted, args] of [
  ['SIGINT', 130, []],
  ['SIGTERM', 143, []],
  ['SIGINT', 130, ['--check']],
] as const) {
  test(`${signal} while indexing ${args.join('')} ends with ${wanted} and leaves nothing`, limits, async () => {
    assert.deepEqual(await interrupted(signal, 'Markdown files', [...args]), [wanted, []]);
  });
}

test('Ctrl-C while measuring ends with 130 and leaves no measurement behind', limits, async () => {
  assert.deepEqual(await interrupted('SIGINT', 'measuring: l3kernel', ['--walls', 'direct']), [130, []]);
});
