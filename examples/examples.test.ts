/**
 * Runs what the documents print. Each numbered example has a README with a `console` block: a command after `$ ` and
 * the output that follows it. The README of the package has an example of two files; it is put into a folder beside
 * this one, where `l3kernel` resolves to this package, and run in the same way.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

const here = import.meta.dirname;
const run = promisify(execFile);
const WATCHDOG_ms = 60_000;
const LINES_MAX = 25;

const read = (...path: string[]): string => readFileSync(join(here, ...path), 'utf8');

interface Printed {
  readonly file: string;
  readonly output: string;
}

/** The commands of a document's `console` blocks, each `node FILE`, with what they print. */
function printedIn(markdown: string): Printed[] {
  const printed: Printed[] = [];
  for (const [, block] of markdown.matchAll(/^```console\n(.*?)^```/gms)) {
    const [, file, output] = /^\$ node (\S+)\n(.*)$/s.exec(block!) ?? assert.fail(`no command in: ${block}`);
    printed.push({ file: file!, output: output! });
  }
  return printed;
}

async function outputOf(file: string, cwd: string): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [file], { cwd, timeout: WATCHDOG_ms, killSignal: 'SIGKILL' });
  assert.equal(stderr, '');
  return stdout;
}

for (const name of readdirSync(here).filter((entry) => /^\d\d-/.test(entry))) {
  const printed = printedIn(read(name, 'README.md'));
  test(`${name} has a command in its README`, () => assert.notEqual(printed.length, 0));
  for (const { file, output } of printed) {
    test(`${name}: node ${file} prints what its README says`, async () => {
      assert.equal(await outputOf(file, join(here, name)), output);
    });
  }
}

test('the example of the README prints what the README says', async () => {
  const readme = read('..', 'README.md');
  const files = [...readme.matchAll(/^```ts\n\/\/ (\S+\.ts)\n(.*?)^```/gms)];
  const [printed] = printedIn(readme);
  assert.ok(printed !== undefined && files.length === 2);
  const lines = files.reduce((sum, [, , text]) => sum + text!.trimEnd().split('\n').length, 0);
  assert.ok(lines <= LINES_MAX, `${lines} lines of at most ${LINES_MAX}`);
  const folder = mkdtempSync(join(here, 'readme-'));
  after(() => rmSync(folder, { recursive: true }));
  for (const [, file, text] of files) writeFileSync(join(folder, file!), text!);
  assert.equal(await outputOf(printed.file, folder), printed.output);
});
