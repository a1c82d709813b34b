/**
 * Does to the drop-ins and to their originals what can go wrong in a call, and writes what becomes of it, and of the
 * call after it, into docs/migrating/README.md between the markers. npm fetches the originals:
 *
 *     npm run hangs [NAME…]
 *
 * With names of packages it only prints their tables.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Original, ORIGINALS } from '../../bench/compat/originals.ts';
import { CASES, isLost, runCase, WATCHDOG_ms } from './hangs.ts';
import { replaced, row } from './page.ts';
import { type Installed, installOurs, installRivals } from './rivals.ts';

const page = new URL('../../docs/migrating/README.md', import.meta.url);
const all = Object.keys(ORIGINALS) as Original[];
const words = process.argv.slice(2);
const names = words.length === 0 ? all : all.filter((name) => words.includes(name));
if (words.some((word) => !all.includes(word as Original))) {
  process.stderr.write(`usage: npm run hangs [NAME…]; the names are ${all.join(', ')}\n`);
  process.exit(2);
}

const hung = { theirs: 0, ours: 0 };
const countHung = (cells: readonly string[]): number => (cells.some(isLost) ? 1 : 0);

async function tableOf(theirs: Installed, ours: Installed, name: Original): Promise<string[]> {
  const lines = [
    row(['', `${name} ${ORIGINALS[name]}`, 'the next call', 'here', 'the next call']),
    '|---|---|---|---|---|',
  ];
  for (const one of CASES) {
    process.stderr.write(`${name}, ${one.title}\n`);
    const [original, dropIn] = [await runCase(theirs, name, one), await runCase(ours, name, one)];
    if (original === null || dropIn === null) continue;
    hung.theirs += countHung(original);
    hung.ours += countHung(dropIn);
    lines.push(row([one.title, ...original, ...dropIn]));
  }
  return ['', ...lines];
}

const [theirs, ours] = [installRivals(names), installOurs()];
const lines: string[] = [];
try {
  for (const name of names) lines.push(...(await tableOf(theirs, ours, name)));
} finally {
  theirs.remove();
  ours.remove();
}
const cases = lines.filter((line) => line.startsWith('|')).length - 2 * names.length;
const summary =
  `Node ${process.versions.node}. **hangs**: nothing for ${WATCHDOG_ms / 1000} s, and the process was killed; ` +
  '**never settles**: the same, but nothing keeps the process alive. ' +
  `Of ${cases} cases the originals do either in ${hung.theirs}, the drop-ins in ${hung.ours}.`;
if (words.length > 0) process.stdout.write(`${[summary, ...lines].join('\n')}\n`);
else writeFileSync(page, replaced(readFileSync(page, 'utf8'), 'hangs', [summary, ...lines]));
