/**
 * What can go wrong in a call, for the drop-ins and their originals, as data: docs/migrating/README.md has what becomes
 * of each, and `hangs.test.ts` holds the drop-ins to it.
 */
import type { Original } from '../../bench/compat/originals.ts';
import { type Ill, type Installed, meet, type Met } from './rivals.ts';

export interface Case extends Ill {
  readonly title: string;
  /** Who has nothing of the kind. */
  readonly except?: readonly Original[];
}

/** Of a call that is given up. */
const TIMEOUT_ms = 3000;
/** Longer than all timeouts, and than a start on a busy machine. */
export const WATCHDOG_ms = 15_000;

const UNTIMED: readonly Original[] = ['make-synchronized'];

export const CASES: readonly Case[] = [
  { title: 'the module is missing', method: 'add', bad: 'missing' },
  { title: 'the module throws at its top level', method: 'add', bad: 'throws' },
  { title: '`process.exit(3)` in a handler', method: 'exit', bad: null },
  { title: 'heap exhaustion', method: 'hoard', bad: null },
  { title: 'uncaught error of a timer', method: 'throwLater', bad: null },
  { title: 'a result that cannot be cloned', method: 'giveFunction', bad: null, except: ['sync-child-process'] },
  { title: 'timeout, the handler waits', method: 'linger', bad: null, timeout_ms: TIMEOUT_ms, except: UNTIMED },
  { title: 'timeout, the handler is busy', method: 'spin', bad: null, timeout_ms: TIMEOUT_ms, except: UNTIMED },
];

const TEXT_MAX = 90;
const inTable = (text: string): string => {
  const short = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
  return short.replaceAll('|', '\\|').replaceAll('<', '&lt;');
};

/** Whether nobody ever hears of a call again. */
export const isLost = (cell: string): boolean => cell === '**hangs**' || cell === '**never settles**';

/** Both calls as cells of a table. */
export function cellsOf({ first, next, survives }: Met): [string, string] {
  const ends = survives || next === null || next.startsWith('the process ends') || isLost(next);
  return [inTable(first), next === null ? '' : `${inTable(next)}${ends ? '' : '; the process ends of it'}`];
}

/** Runs a case in a project; null: the package has nothing of the kind. */
export async function runCase({ folder }: Installed, name: Original, one: Case): Promise<[string, string] | null> {
  return one.except?.includes(name) === true ? null : cellsOf(await meet(folder, name, one, WATCHDOG_ms));
}
