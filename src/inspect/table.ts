/**
 * Threads as a plain table, and waits as sentences: the text that `l3 ps` and `l3 top` show. Names come from programs,
 * so control characters in them are replaced: no task name moves a cursor.
 */
import { NO_RATES, type Rates } from './rates.ts';
import type { ThreadView } from './snapshot.ts';

/** A thread with what a table says of it beyond kernel memory. */
export interface Row {
  readonly thread: ThreadView;
  readonly kind: string;
  readonly restarts: number;
  readonly partner: string;
  readonly method: string;
  readonly rates: Rates;
}

interface Column {
  readonly title: string;
  /** Columns with the highest go first when the terminal is too narrow; 0 never goes. */
  readonly drop: number;
  readonly right?: boolean;
  readonly text: (row: Row) => string;
  /** Order of the rows by this column; the first is what one looks for in it. */
  readonly compare: (a: Row, b: Row) => number;
}

const byText = (text: (row: Row) => string) => (a: Row, b: Row) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0);
const byNumber = (value: (row: Row) => number) => (a: Row, b: Row) => value(b) - value(a);
const rate = (value: (rates: Rates) => number): Pick<Column, 'right' | 'text' | 'compare'> => ({
  right: true,
  text: ({ rates }) => formatCount(value(rates)),
  compare: byNumber(({ rates }) => value(rates)),
});

export const COLUMNS = {
  id: {
    title: 'ID',
    drop: 5,
    right: true,
    text: ({ thread }) => String(thread.id),
    compare: (a, b) => a.thread.id - b.thread.id,
  },
  task: {
    title: 'TASK',
    drop: 9,
    right: true,
    text: ({ thread }) => String(thread.task),
    compare: (a, b) => a.thread.task - b.thread.task,
  },
  name: { title: 'NAME', drop: 0, text: (row) => labelOf(row.thread), compare: byText((row) => labelOf(row.thread)) },
  kind: { title: 'KIND', drop: 7, text: (row) => row.kind, compare: byText((row) => row.kind) },
  state: { title: 'STATE', drop: 0, text: (row) => row.thread.state, compare: byText((row) => row.thread.state) },
  partner: { title: 'PARTNER', drop: 2, text: (row) => row.partner, compare: byText((row) => row.partner) },
  method: { title: 'METHOD', drop: 4, text: (row) => row.method, compare: byText((row) => row.method) },
  since: {
    title: 'SINCE',
    drop: 3,
    right: true,
    text: ({ thread }) => (thread.since_ms === null ? '' : formatTime(thread.since_ms)),
    compare: byNumber(({ thread }) => thread.since_ms ?? -1),
  },
  ipc: { title: 'IPC/S', drop: 1, ...rate((rates) => rates.ipc_per_s) },
  bytes: { title: 'BYTES/S', drop: 6, ...rate((rates) => rates.bytes_per_s) },
  parks: { title: 'PARKS/S', drop: 8, ...rate((rates) => rates.parks_per_s) },
  restarts: {
    title: 'RESTARTS',
    drop: 10,
    right: true,
    text: ({ restarts }) => String(restarts),
    compare: byNumber(({ restarts }) => restarts),
  },
} as const satisfies Record<string, Column>;

export type ColumnName = keyof typeof COLUMNS;

/** The thread's task, and which of its threads it is when it is not the one that serves. */
export const labelOf = ({ name, role }: ThreadView): string => printable(role === 'server' ? name : `${name}/${role}`);

/** Threads that run and did nothing are the places for calls that may come, or code outside the kernel's sight. */
export const isIdle = ({ thread, rates }: Row): boolean =>
  thread.state === 'running' && thread.role !== 'server' && rates.ipc_per_s === NO_RATES.ipc_per_s;

/** The rows by a column, equal ones by id. */
export function sortRows(rows: readonly Row[], by: ColumnName, isReversed: boolean): Row[] {
  const { compare } = COLUMNS[by];
  const sign = isReversed ? -1 : 1;
  return rows.toSorted((a, b) => sign * compare(a, b) || a.thread.id - b.thread.id);
}

/**
 * The table's lines, its titles first, none wider than `width`: columns are dropped until the rest fits. `sortedBy` is
 * marked, and stays.
 */
export function tableLines(rows: readonly Row[], width: number, sortedBy?: ColumnName): string[] {
  let columns = Object.entries(COLUMNS).map(([name, column]: [string, Column]) => {
    const title = name === sortedBy ? `${column.title}*` : column.title;
    const cells = [title, ...rows.map((row) => column.text(row))];
    const drop = name === sortedBy ? 0 : column.drop;
    return { ...column, drop, cells, width: cells.reduce((most, cell) => Math.max(most, widthOf(cell)), 0) };
  });
  const total = (): number => columns.reduce((sum, column) => sum + column.width + GAP.length, -GAP.length);
  while (total() > width) {
    const drop = Math.max(...columns.map((column) => column.drop));
    if (drop === 0) break;
    columns = columns.filter((column) => column.drop !== drop);
  }
  return Array.from({ length: rows.length + 1 }, (_, i) => {
    const cells = columns.map((column) => pad(column.cells[i]!, column.width, column.right === true));
    return cut(cells.join(GAP).trimEnd(), width);
  });
}

const GAP = '  ';

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(width - widthOf(text));
  return right ? space + text : text + space;
}

/**
 * A chain of waits as a sentence, each member with the call for which the one before waits, and how long it has. The
 * members of a ring are given once.
 */
export function waitText(
  members: readonly ThreadView[],
  isRing: boolean,
  methodOf: (thread: ThreadView) => string,
): string {
  const chain = isRing ? [...members, members[0]!] : members;
  const calls = chain.slice(1).map((callee, i) => {
    const caller = chain[i]!;
    const method = methodOf(caller);
    const since = caller.since_ms === null ? '' : ` ${formatTime(caller.since_ms)}`;
    return `${method === '' ? labelOf(callee) : `${printable(callee.name)}.${method}()`}${since}`;
  });
  const end = isRing ? '' : `, ${chain.at(-1)!.state}`;
  return `${isRing ? 'ring' : 'waits'}: ${[labelOf(chain[0]!), ...calls].join(' -> ')}${end}`;
}

const WIDE =
  /[\u{1100}-\u{115f}\u{2e80}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NO_WIDTH = /[\p{Mn}\p{Me}]/u;

/** Cells of a terminal that one character takes. */
const cellsOf = (character: string): number => (NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1);

/** Cells of a terminal that a text takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += cellsOf(character);
  return width;
}

/** The beginning of a text that takes at most `width` cells. */
export function cut(text: string, width: number): string {
  let taken = 0;
  let kept = '';
  for (const character of text) {
    taken += cellsOf(character);
    if (taken > width) break;
    kept += character;
  }
  return kept;
}

/** A text in lines of at most `width` cells, broken at spaces where there are any; all but the first are set in. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line === '' || widthOf(longer) <= width) {
      line = longer;
      continue;
    }
    lines.push(line);
    line = `  ${word}`;
  }
  return [...lines, line].map((one) => cut(one, width));
}

export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');

/** Three figures and a unit: 999, 1.20k, 12.3M. */
export function formatCount(value: number): string {
  if (value < 1000) return value > 0 && value < 10 ? value.toFixed(1) : String(Math.round(value));
  let unit = -1;
  let scaled = value;
  while (scaled >= 999.5 && unit < 3) {
    scaled /= 1000;
    unit++;
  }
  return `${scaled.toPrecision(3)}${'kMGT'[unit]}`;
}

/** 5 ms, 1.2 s, 3 min, 4 h. */
export function formatTime(time_ms: number): string {
  if (time_ms < 1000) return `${Math.round(time_ms)} ms`;
  if (time_ms < 60_000) return `${(time_ms / 1000).toFixed(1)} s`;
  return time_ms < 3_600_000 ? `${Math.floor(time_ms / 60_000)} min` : `${Math.floor(time_ms / 3_600_000)} h`;
}
