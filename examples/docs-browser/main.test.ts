/** Tests of the program as it is started: options, port, tables, and what one start leaves for the next. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { breakTitles, codes } from './fire.ts';
import { fixtureDocuments, makeFixture, run } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import type { BreakKind } from './walls/walls.ts';

let fixture: Fixture;
before(() => (fixture = makeFixture()));
after(() => fixture.remove());

test('what is not understood ends with a sentence and exit code 2', async () => {
  const cases: [args: string[], environment: Record<string, string>, message: RegExp][] = [
    [['--wrong'], {}, /--wrong/],
    [['a', 'b'], {}, /one folder at most/],
    [['--json'], {}, /--json goes with --check/],
    [['--walls', 'paper'], {}, /'paper'/],
    [['--parser', 'paper'], {}, /--parser is one of wasm, worker, not 'paper'/],
    [['no/such/folder'], {}, /there is no folder .*no.such.folder/],
    [[join(fixture.folder, 'notes.txt')], {}, /is not a folder/],
    [[fixture.folder], { PORT: 'x' }, /PORT is a number/],
    [[fixture.folder], { PORT: '70000' }, /PORT is a number/],
  ];
  const results = await Promise.all(cases.map(([args, environment]) => run(args, environment).ended));
  for (const [index, { code, stderr, stdout }] of results.entries()) {
    const [args, , message] = cases[index] ?? [[], {}, /^$/];
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^ {4}at /m);
    assert.equal(stdout, '');
  }
});

test('--help prints the options', async () => {
  const { code, stdout } = await run(['--help']).ended;
  assert.equal(code, 0);
  for (const option of ['--fresh', '--check', '--json', '--parser', 'PORT']) assert.ok(stdout.includes(option));
});

test('a port in use is told before anything is indexed', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const port = (taken.address() as AddressInfo).port;
  const { code, stdout, stderr } = await run([fixture.folder, '--walls', 'direct'], { PORT: String(port) }).ended;
  taken.close();
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`port ${port} on 127.0.0.1 is in use; set PORT`));
  assert.equal(stdout, '');
});

/** Starts the site, asks it for its first page and ends it. Returns what it printed. */
async function startOnce(...args: string[]): Promise<string> {
  const site = run([fixture.folder, '--cache', fixture.cache, ...args], { PORT: '0' });
  const printed = await site.prints('listening on http://127.0.0.1:');
  const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(printed)?.[1];
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'application/json' } });
  const { documents } = (await response.json()) as { documents: number };
  assert.equal(response.status, 200);
  site.process.kill('SIGTERM');
  const { code } = await site.ended;
  assert.equal(code, 0);
  return `${printed}\ndocuments ${documents}`;
}

test('a later start uses what an earlier one left, and reads only what changed', { timeout: 100_000 }, async () => {
  const first = await startOnce();
  assert.match(first, new RegExp(`indexed ${fixtureDocuments} files`));
  assert.match(first, /no walls +\d.*\n.*l3kernel +\d.*\n.*postMessage \(Comlink\) +\d.*\n.*synckit +\d/);
  assert.doesNotMatch(first, /DIFFERS/);
  for (const [kind, { title }] of Object.entries(breakTitles)) {
    const row = new RegExp(`^  ${title}(?: \\*)? +${codes[kind as BreakKind]} +\\d.* 0 of \\d+ +(?:hung|threw)`, 'm');
    assert.match(first, row);
  }
  assert.doesNotMatch(first, /NOT AS IT OUGHT TO BE/);

  const second = await startOnce();
  assert.match(second, /is up to date/);
  assert.match(second, /Measured on an earlier start/);
  assert.match(second, /endless regex.* hung/);
  assert.doesNotMatch(second, /breaking the parts/);
  assert.doesNotMatch(second, /^indexed/m);

  const changed = join(fixture.folder, 'beta', 'CHANGELOG.md');
  writeFileSync(changed, '## 2.0.0\n\n- zebra\n');
  utimesSync(changed, new Date(), new Date(Date.now() + 5000));
  rmSync(join(fixture.folder, 'hostile', 'long.md'));
  const third = await startOnce();
  assert.match(third, /needs 1 files read again and 1 removed/);
  assert.match(third, /indexed 1 files/);
  assert.match(third, new RegExp(`documents ${fixtureDocuments - 1}`));
  assert.ok(existsSync(fixture.cache) && statSync(fixture.cache).isDirectory());
});
