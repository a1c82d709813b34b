/** What the constants of src/layout/params.ts were chosen by, as tables. */
import { MESSAGE_WORDS, SPIN_LOADS_PAUSING } from '../../src/layout/params.ts';
import type { Cell, ConstantRow } from '../constants/main.ts';
import { asString, asWords, type CROWDS, EIGHT, MESSAGE_BYTES, SPIN_ROWS, WORD_LIMITS } from '../constants/rows.ts';
import { SIZES } from '../constants/sizes.ts';
import { duration, made, table, times } from './markdown.ts';
import type { Results } from './results.ts';

type Values = Readonly<Record<string, number>>;

const NOT_YET = 'not measured yet';

const valuesIn = (row: ConstantRow | undefined, cell: string): Values | undefined =>
  row?.cells.find((candidate: Cell) => candidate.row === cell)?.values;

const text = (values: Values | undefined, print: (values: Values) => string): string =>
  values === undefined ? NOT_YET : print(values);

const CROWD_WORDS: Readonly<Record<keyof typeof CROWDS, string>> = {
  'crowd.greedy': `${EIGHT} clients that pause for a millisecond between calls, beside one that does not`,
  'crowd.equal': `${EIGHT + 1} clients that do not pause`,
};

function service(rows: readonly ConstantRow[]): string[] {
  const lines = Object.entries(CROWD_WORDS).flatMap(([cell, crowd]) =>
    rows.map((row) => {
      const values = valuesIn(row, cell);
      return [
        crowd,
        row.method,
        text(values, ({ unevenness }) => times(unevenness!)),
        text(values, ({ p50_ns }) => duration(p50_ns!)),
        text(values, ({ p99_ns }) => duration(p99_ns!)),
        text(values, ({ each_ns }) => duration(each_ns!)),
      ];
    }),
  );
  const head = ['clients of one server', 'served', 'most served / least', 'p50', 'p99', 'time over all calls'];
  return [
    "**Order of service** (the paper's 5.3.5: a client that polls is served before the one just answered goes on). The greedy client is in none of the figures but the last.",
    '',
    ...table(head, lines),
  ];
}

function spins(rows: readonly ConstantRow[]): string[] {
  const lines = rows.map((row) => {
    const loads = row.name.replace('spin.', '');
    return [
      Number(loads) === SPIN_LOADS_PAUSING ? `**${loads}**` : loads,
      ...SPIN_ROWS.map((cell) => text(valuesIn(row, cell), ({ ns, each_ns }) => duration((ns ?? each_ns)!))),
      text(valuesIn(row, 'spin.millisecond'), ({ cpu_ns }) => duration(cpu_ns!)),
    ];
  });
  const names = ['one call after another', 'one a millisecond', '3 clients', '8 clients'];
  return [
    `**Length of a spin** (\`SPIN_LOADS_PAUSING\`, shipped: ${SPIN_LOADS_PAUSING}; \`SPIN_LOADS_BARE\` in proportion): loads of the own state word before a thread parks.`,
    '',
    ...table(['loads', ...names, 'CPU of one a millisecond'], lines),
  ];
}

function messages(row: ConstantRow): string[] {
  const lines = WORD_LIMITS.map((limit) => [
    limit === MESSAGE_WORDS ? `**${limit}**` : String(limit),
    ...MESSAGE_BYTES.map((bytes) =>
      text(valuesIn(row, bytes <= limit * 8 ? asWords(bytes) : asString(bytes)), ({ ns }) => duration(ns!)),
    ),
  ]);
  return [
    `**Message words** (\`MESSAGE_WORDS\`, shipped: ${MESSAGE_WORDS}): a low-level call with so many bytes each way, if a message had at most so many words and more went as a string.`,
    '',
    ...table(['words', ...MESSAGE_BYTES.map((bytes) => `${bytes} B`)], lines),
  ];
}

function sizes(row: ConstantRow): string[] {
  let sum = 0;
  const lines = row.cells.map(({ row: most, values }) => {
    sum += values['share']!;
    const count = Math.round(values['messages']!).toString();
    return [most, count, `${(values['share']! * 100).toFixed(1)} %`, `${(sum * 100).toFixed(1)} %`];
  });
  return [
    `**Sizes of messages** of a whole program, examples/docs-browser as it indexes a corpus: ${row.method}, from agent to agent and answers included.`,
    '',
    ...table(['bytes, at most', 'messages', 'share', 'so far'], lines),
    '',
    `Longer than ${SIZES.at(-1)!} bytes is "more".`,
  ];
}

export function constants({ constants: report }: Results): string[] {
  const head = [
    '## H. Fairness, and the choice of constants',
    '',
    'The constants of `src/layout/params.ts` beside what else they could be: kernels that differ in nothing else, made as the variants of B are (`bench/constants/variants.ts`), in processes that take turns.',
    '',
  ];
  if (report === undefined) return [...head, made('constants')];
  const beginning = (word: string): ConstantRow[] => report.rows.filter(({ name }) => name.startsWith(word));
  const [kernels, lengths, words, counted] = ['service', 'spin', 'messages', 'sizes'].map(beginning) as [
    ConstantRow[],
    ConstantRow[],
    ConstantRow[],
    ConstantRow[],
  ];
  const parts = [
    kernels.length === 0 ? [`**Order of service**: ${NOT_YET}.`] : service(kernels),
    lengths.length === 0 ? [`**Length of a spin**: ${NOT_YET}.`] : spins(lengths),
    words[0] === undefined ? [`**Message words**: ${NOT_YET}.`] : messages(words[0]),
    counted[0] === undefined ? [`**Sizes of messages**: ${NOT_YET}.`] : sizes(counted[0]),
  ];
  return [...head, ...parts.flatMap((part) => [...part, ''])].slice(0, -1);
}
