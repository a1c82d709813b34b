/**
 * Applies the mutants to the kernel and says what catches each:
 *
 *   node test/model/mutants/run.ts             each in the scenario that must catch it, as in `npm test`
 *   node test/model/mutants/run.ts --write     the same, and the table into docs/proof.md
 *   node test/model/mutants/run.ts --all       in every scenario: which of them see it; minutes
 *   node test/model/mutants/run.ts WORDS       those whose name holds the words
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scenarios } from '../scenarios.ts';
import { catchMutant, type Catch } from './catch.ts';
import { type Mutant, mutants, REFERENCE } from './mutants.ts';
import { moreScenarios } from './scenarios.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, write: { type: 'boolean' } },
});

function write(rows: readonly (readonly [Mutant, Catch])[]): void {
  const path = join(import.meta.dirname, '../../../docs/proof.md');
  const text = readFileSync(path, 'utf8');
  const [begin, end] = ['<!-- mutants -->\n', '<!-- end of mutants -->'];
  if (!text.includes(begin) || !text.includes(end)) throw new Error("docs/proof.md has no marks 'mutants'");
  const caught = rows.filter(([, { reason }]) => reason !== null).length;
  const lines = rows.map(
    ([{ name, file, harm, scenario }, { reason, preemptions }]) =>
      `| ${name} | ${file} | ${harm} | ${reason === null ? 'SURVIVES' : scenario} | ${preemptions ?? '-'} |`,
  );
  const table = [
    `${caught} of ${rows.length} caught.`,
    '',
    '| wrong edit | file | what a user would have seen | caught by | preemptions |',
    '|---|---|---|---|--:|',
    ...lines,
  ];
  const [before, after] = [text.slice(0, text.indexOf(begin) + begin.length), text.slice(text.indexOf(end))];
  writeFileSync(path, `${before}${table.join('\n')}\n${after}`);
}

const wanted = mutants.filter(({ name }) => positionals.every((words) => name.includes(words)));
if (wanted.length === 0) throw new Error('no mutant has such a name');
const rows: (readonly [Mutant, Catch])[] = [];
for (const mutant of wanted) {
  const caught = await catchMutant(mutant);
  rows.push([mutant, caught]);
  const verdict = caught.reason === null ? 'SURVIVES' : 'caught  ';
  console.log(
    `${verdict} ${(caught.ms / 1000).toFixed(1).padStart(5)} s  ${mutant.scenario.padEnd(22)} ${mutant.name}`,
  );
  if (caught.reason === null) process.exitCode = 1;
  if (positionals.length > 0) console.log(`  ${caught.reason}\n  ${caught.schedule}`);
  if (values.all !== true) continue;
  const seen: string[] = [];
  for (const name of [REFERENCE, ...[...scenarios, ...moreScenarios].map((one) => one.name)]) {
    if (scenarios.some((one) => one.name === name && one.fails !== undefined)) continue;
    if ((await catchMutant({ ...mutant, scenario: name }, 1)).reason !== null) seen.push(name);
  }
  console.log(`  seen by ${seen.length}: ${seen.join(', ')}`);
}
if (values.write === true && positionals.length === 0) write(rows);
