/** Where docs/migrating/README.md says that an original hangs, the drop-in does what the page says of it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Original, ORIGINALS } from '../../bench/compat/originals.ts';
import { CASES, isLost, runCase } from './hangs.ts';
import { type Installed, installOurs } from './rivals.ts';

const page = readFileSync(new URL('../../docs/migrating/README.md', import.meta.url), 'utf8');
/** The cells of the rows of a package: title, the original's two calls, the drop-in's two. */
const rowsOf = (name: Original): string[][] => {
  const table = page.split(`|  | ${name} ${ORIGINALS[name]} |`)[1]!.split('\n\n')[0]!;
  return table
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '));
};

let ours: Installed;
before(() => {
  ours = installOurs();
});
after(() => ours.remove());

for (const name of Object.keys(ORIGINALS) as Original[]) {
  for (const [title, first = '', , ...expected] of rowsOf(name)) {
    if (!isLost(first)) continue;
    test(`${name}, ${title}: the original is lost, the drop-in is not`, async () => {
      const one = CASES.find((known) => known.title === title);
      assert.ok(one, `the page has a row that is no case: ${title}`);
      assert.deepEqual(await runCase(ours, name, one), expected);
    });
  }
}
