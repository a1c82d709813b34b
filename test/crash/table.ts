/**
 * Measures the deaths, looks what other packages make of them, and writes both tables into docs/faults.md between the
 * markers:
 *
 *     node test/crash/table.ts [RUNS]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { machineFacts } from '../../bench/harness/machine.ts';
import { quantile } from '../../bench/harness/stats.ts';
import { boot, type System } from '../../src/index.ts';
import {
  beStillborn,
  type Caller,
  CALLERS,
  type Death,
  DEATHS,
  die,
  dieCalling,
  type Measured,
  type Stillbirth,
  STILLBIRTHS,
} from './cases.ts';
import { ORIGINALS } from '../../bench/compat/originals.ts';
import { replaced, row } from './page.ts';
import { type Ill, installRivals, meet, withoutFolders } from './rivals.ts';

const RUNS_DEFAULT = 5;
const RIVALS = ['synckit', 'make-synchronized', 'sync-message-port'] as const;
const document = new URL('../../docs/faults.md', import.meta.url);

/** What of the victims of the other packages stands for which of our cases, by its title; `bad` is a module. */
const COUNTERPARTS: Readonly<Record<string, Ill>> = {
  'the module is missing': { method: 'add', bad: 'missing' },
  'the module has a syntax error': { method: 'add', bad: 'syntax' },
  'a module that it imports is missing': { method: 'add', bad: 'import' },
  'the module throws at its top level': { method: 'add', bad: 'throws' },
  '`process.exit(3)` in a handler': { method: 'exit', bad: null },
  'heap exhaustion': { method: 'hoard', bad: null },
  'unhandled rejection': { method: 'reject', bad: null },
  'uncaught error of a timer': { method: 'throwLater', bad: null },
  'stack overflow in a handler': { method: 'overflow', bad: null },
};

const runs = Number(process.argv[2] ?? RUNS_DEFAULT);
if (!(Number.isSafeInteger(runs) && runs > 0)) {
  process.stderr.write('usage: node test/crash/table.ts [RUNS]\n');
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const inTable = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

async function cell(run: () => Promise<Measured>): Promise<{ text: string; measured: Measured }> {
  const all: Measured[] = [];
  for (let i = 0; i < runs; i++) all.push(await run());
  const times = all.map((measured) => measured.ms);
  return { text: `${ms(quantile(times, 0.5))} (${ms(Math.max(...times))})`, measured: all[0]! };
}

/** What the `.sync` caller of the main thread got, by title. */
const ours = new Map<string, string>();

async function caseRow(
  { title, code }: Death | Stillbirth,
  callers: readonly Caller[],
  run: (caller: Caller) => Promise<Measured>,
): Promise<string> {
  const cells: string[] = [];
  for (const caller of CALLERS) {
    if (!callers.includes(caller)) {
      cells.push('');
      continue;
    }
    say(`${title}, ${caller}`);
    const { text, measured } = await cell(() => run(caller));
    const { message, cause } = measured.ending;
    ours.set(title, `throws ${code}: ${withoutFolders((cause || message).split('\n')[0]!)}`);
    cells.push(text);
  }
  return row([title, `\`${code}\``, ...cells]);
}

async function measureAll(system: System): Promise<string[]> {
  const lines = [
    row(['how it ends', 'what the caller gets', ...CALLERS]),
    row(['---', '---', ...CALLERS.map(() => '---:')]),
  ];
  for (const birth of STILLBIRTHS)
    lines.push(await caseRow(birth, CALLERS, (caller) => beStillborn(system, birth, caller)));
  for (const death of DEATHS)
    lines.push(await caseRow(death, death.callers ?? CALLERS, (caller) => die(system, death, caller)));
  const cells: string[] = [];
  for (const caller of ['worker .sync', 'worker .async'] as const) {
    say(`the caller is killed, ${caller}`);
    cells.push((await cell(() => dieCalling(system, caller))).text);
  }
  return [
    ...lines,
    row(['the caller is killed while its callee works 60 ms', 'the next caller: its answer', '', '', ...cells]),
  ];
}

async function meetAll(): Promise<string[]> {
  const { folder, remove } = installRivals(RIVALS);
  const lines = [
    row(['how it ends', 'here', ...RIVALS.map((name) => `${name} ${ORIGINALS[name]}`)]),
    row(['---', '---', ...RIVALS.map(() => '---')]),
  ];
  try {
    for (const [title, ill] of Object.entries(COUNTERPARTS)) {
      const cells: string[] = [];
      for (const name of RIVALS) {
        say(`${title}, ${name}`);
        cells.push((await meet(folder, name, ill)).first);
      }
      lines.push(row([title, ours.get(title) ?? '', ...cells].map(inTable)));
    }
  } finally {
    remove();
  }
  return lines;
}

const { cpu, cores, node } = machineFacts();
const system = await boot();
const deaths = await measureAll(system);
await system.shutdown();
const machine = `${cpu}, ${cores} cores, Node ${node}; median (worst) of ${runs} in milliseconds.`;
const rivals = await meetAll();
const text = replaced(readFileSync(document, 'utf8'), 'faults:deaths', [machine, '', ...deaths]);
writeFileSync(document, replaced(text, 'faults:rivals', rivals));
