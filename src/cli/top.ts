/**
 * `l3 top [NAME|PID] [--count N]`: the threads of a running system once a second. On a terminal it redraws in place, in
 * the alternate screen, so that what was there before comes back; elsewhere it prints N tables one after the other.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type ColumnName, cut, sortRows, tableLines, wrap } from '../inspect/table.ts';
import type { Inspected } from '../servers/inspect/api.ts';
import type { Inspection } from '../servers/inspect/protocol.ts';
import { busyRows, chooseSystems, endWithReader, rowsOf, summary, systemLines, waitLines } from './inspected.ts';

const USAGE = `Usage: l3 top [NAME|PID] [--count N]

  NAME|PID   the system: the file name of its program, or its process id; not needed when one is running
  --count N  end after N tables; without a terminal the default is 1

  keys: s sorts by the next column, r reverses the order, q quits
`;

export const PERIOD_ms = 1000;
/** What `s` cycles through. */
const SORTS: readonly ColumnName[] = ['ipc', 'bytes', 'parks', 'since', 'restarts', 'state', 'name', 'id'];

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const TO_END_OF_LINE = '\u001b[K';
const TO_END_OF_SCREEN = '\u001b[J';

/** What is drawn on: a terminal's stream, or a test's. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
}

/** What the keys have chosen. */
export interface View {
  readonly sort: ColumnName;
  readonly isReversed: boolean;
}

/** The lines of one picture, no more than `height` and none wider than `width`. */
export function pictureOf(before: Inspection, after: Inspection, view: View, width: number, height: number): string[] {
  const { busy, rest } = busyRows(rowsOf(before, after));
  const waits = waitLines(before, after).flatMap((line) => wrap(line, width));
  const fixed = 2;
  // Of what is left after the summary and the keys, waits get a third at most.
  const waitsMax = Math.min(waits.length, Math.max(1, Math.floor((height - fixed) / 3)));
  const table = tableLines(sortRows(busy, view.sort, view.isReversed), width, view.sort);
  const tail = cutLines(waits, waitsMax, 'more lines of waits');
  if (rest !== '' && table.length + tail.length + fixed < height) tail.unshift(rest);
  const body = cutLines(table, height - fixed - tail.length, 'more threads');
  const lines = [summary(after), ...body, ...tail, 's sort  r reverse  q quit'];
  return lines.slice(0, Math.max(1, height)).map((line) => cut(line, width));
}

/** The first lines; the last of them says how many are missing. */
function cutLines(lines: readonly string[], count: number, what: string): string[] {
  if (lines.length <= count) return [...lines];
  if (count <= 0) return [];
  return [...lines.slice(0, count - 1), `… ${lines.length - count + 1} ${what}`];
}

/** A running `top` on a terminal. Keys change the view and redraw at once. */
export class Top {
  private readonly screen: Screen;
  private view: View = { sort: 'ipc', isReversed: false };
  private looks: readonly [Inspection, Inspection] | null = null;
  private readonly quitting = new AbortController();

  constructor(screen: Screen) {
    this.screen = screen;
  }

  /** Shows the system until `q`, or `count` tables. The terminal is as before when it resolves or rejects. */
  async run(system: Pick<Inspected, 'first' | 'ask'>, count: number, period_ms: number): Promise<void> {
    this.screen.write(ENTER);
    try {
      let before = system.first;
      for (let shown = 0; shown < count; shown++) {
        const pause_ms = shown === 0 ? Math.min(FIRST_ms, period_ms) : period_ms;
        await sleep(pause_ms, undefined, { signal: this.quitting.signal }).catch(() => {});
        if (this.quitting.signal.aborted) return;
        const after = await system.ask();
        this.looks = [before, after];
        this.draw();
        before = after;
      }
    } finally {
      this.screen.write(LEAVE);
    }
  }

  draw(): void {
    if (this.looks === null) return;
    const { columns, rows } = this.screen;
    const lines = pictureOf(...this.looks, this.view, columns, rows);
    // No line break after the last line: it would scroll.
    this.screen.write(HOME + lines.map((line) => line + TO_END_OF_LINE).join('\r\n') + TO_END_OF_SCREEN);
  }

  quit(): void {
    this.quitting.abort();
  }

  /** A key, as the terminal sends it in raw mode. */
  press(key: string): void {
    if (key === 'q' || key === '\u0003') this.quit();
    else if (key === 's')
      this.view = { ...this.view, sort: SORTS[(SORTS.indexOf(this.view.sort) + 1) % SORTS.length]! };
    else if (key === 'r') this.view = { ...this.view, isReversed: !this.view.isReversed };
    else return;
    this.draw();
  }
}

/** The first table need not wait for a whole period. */
const FIRST_ms = 250;

/** `top` on this process's terminal. Resolves to the exit code: that of the signal which ended it, else 0. */
async function runOnTerminal(system: Inspected, count: number): Promise<number> {
  const { stdin, stdout } = process;
  const top = new Top(stdout);
  let code = 0;
  const onKeys = (keys: string): void => keys.split('').forEach((key) => top.press(key));
  const onResize = (): void => top.draw();
  const onSignal = (_signal: string, number: number): void => {
    code = 128 + number;
    top.quit();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  stdout.on('resize', onResize);
  if (stdin.isTTY) stdin.setRawMode(true).setEncoding('utf8').on('data', onKeys);
  try {
    await top.run(system, count, PERIOD_ms);
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false).off('data', onKeys).pause();
    stdout.off('resize', onResize);
    for (const signal of signals) process.off(signal, onSignal);
  }
  return code;
}

/** Prints tables one after the other. */
async function print(system: Inspected, count: number): Promise<void> {
  let before = system.first;
  for (let shown = 0; shown < count; shown++) {
    await sleep(shown === 0 ? FIRST_ms : PERIOD_ms);
    const after = await system.ask();
    const { busy, rest } = busyRows(rowsOf(before, after));
    const lines = [summary(after), ...tableLines(sortRows(busy, 'ipc', false), Number.POSITIVE_INFINITY, 'ipc')];
    if (rest !== '') lines.push(rest);
    process.stdout.write(`${[...lines, ...waitLines(before, after)].join('\n')}\n${shown + 1 < count ? '\n' : ''}`);
    before = after;
  }
}

function countOf(text: string | undefined, isTerminal: boolean): number {
  if (text === undefined) return isTerminal ? Number.POSITIVE_INFINITY : 1;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--count is '${text}'; it must be a whole number above 0`);
  return Number(text);
}

/** Resolves to the exit code: 1 when there is no such system, or it ended; 2 for a wrong command line. */
export async function top(args: string[]): Promise<number> {
  const isTerminal = process.stdout.isTTY === true;
  let word: string | undefined;
  let count: number;
  try {
    const parsed = parseArgs({ args, options: { count: { type: 'string' } }, allowPositionals: true });
    if (parsed.positionals.length > 1) throw new Error('there is more than one system named');
    [word] = parsed.positionals;
    count = countOf(parsed.values.count, isTerminal);
  } catch (error) {
    process.stderr.write(`l3 top: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  endWithReader();
  const { chosen, none } = await chooseSystems(word);
  try {
    const [system] = chosen;
    if (system === undefined) {
      process.stderr.write(`l3 top: ${none}\n`);
      return 1;
    }
    if (chosen.length > 1) {
      process.stderr.write(`l3 top: which of these?\n${systemLines(chosen).join('\n')}\n`);
      return 1;
    }
    if (isTerminal) return await runOnTerminal(system, count);
    await print(system, count);
    return 0;
  } catch (error) {
    process.stderr.write(`l3 top: ${(error as Error).message}\n`);
    return 1;
  } finally {
    for (const system of chosen) system.close();
  }
}
