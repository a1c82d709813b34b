/**
 * Looking at the tasks of l3kernel while they work, and breaking them on purpose.
 *
 * Invariant: after a break every part that was touched answers again, or the break itself is an error.
 */
import type { Page } from '../tasks/parse.ts';
import type { Account } from './account.ts';
import { line_time_max_ms } from './l3kernel-tasks.ts';
import type { Tasks } from './l3kernel-tasks.ts';
import { openRule, rule_name } from './l3kernel-rule.ts';
import type { BreakKind, BreakOutcome, Inside, TaskLine } from './walls.ts';

/** What a block of code may take when it is highlighted on purpose for ever. */
export const loop_time_max_ms = 500;
/** Who kills waits until the victim is at work. */
const before_kill_ms = 50;
/** A net under the supervisor, which ends all of these far earlier. */
const break_time_max_ms = 30_000;

export function openInside(tasks: Tasks, account: Account, noteBlocks: (page: Page) => Page): Inside {
  return {
    tasks: () => taskLines(tasks),
    // A rule comes and goes; arrows to one that has gone would lead nowhere.
    edges: () => account.edges().filter(({ to }) => to !== rule_name || isThere(tasks, rule_name)),
    openRule: (text, isTrial) => openRule(tasks.system, account, text, isTrial),
    async render(path, markdown) {
      return noteBlocks(
        await account.timed('parse', 1, () => tasks.ask('parse', (task) => task.async.parse(path, markdown))),
      );
    },
    async breakPart(kind) {
      const { error, error_ms } = await errorOf(breaks[kind](tasks));
      const mending_ms = performance.now();
      for (const part of touched[kind]) await probes[part](tasks);
      return { ...describe(error), error_ms, mended_ms: performance.now() - mending_ms };
    },
  };
}

/** The parts that a break may leave broken. */
const touched: Record<BreakKind, ('parse' | 'highlight' | 'match')[]> = {
  regex: ['match'],
  exit: ['parse'],
  heap: ['parse'],
  throw: ['highlight'],
  ring: ['parse', 'highlight', 'match'],
  kill: ['highlight'],
  loop: ['highlight'],
};

interface Begun {
  call: Promise<unknown>;
  /** When the part broke; the start of the call is not it for a part that is killed later. */
  broke_ms: number;
}

/** Each begins a call that meets the break. */
const breaks: Record<BreakKind, (tasks: Tasks) => Begun | Promise<Begun>> = {
  async regex(tasks) {
    const { compile, find } = tasks.all().match.with({ timeout: line_time_max_ms }).async;
    await compile('^(([a-z])+.)+[A-Z]([a-z])+$', '');
    return now(() => find('a'.repeat(60)));
  },
  exit: (tasks) => now(() => parser(tasks).breakDown('exit')),
  heap: (tasks) => now(() => parser(tasks).breakDown('heap')),
  throw: (tasks) => now(() => tasks.all().highlight.async.breakDown('throw')),
  loop: (tasks) => now(() => tasks.all().highlight.with({ timeout: loop_time_max_ms }).async.breakDown('loop')),
  // The main thread calls the parser, which calls the highlighter, which calls the matcher, which calls the parser.
  ring: (tasks) => now(() => parser(tasks).callRing(['highlight', 'match', 'parse'])),
  async kill(tasks) {
    const { highlight } = tasks.all();
    const call = highlight.async.breakDown('loop');
    call.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, before_kill_ms));
    const broke_ms = performance.now();
    void highlight.kill();
    return { call, broke_ms };
  },
};

const parser = (tasks: Tasks) => tasks.all().parse.with({ timeout: break_time_max_ms }).async;

function now(call: () => Promise<unknown>): Begun {
  const broke_ms = performance.now();
  return { call: call(), broke_ms };
}

/** A question that a part in good order answers. */
const probes: { [Name in 'parse' | 'highlight' | 'match']: (tasks: Tasks) => Promise<unknown> } = {
  parse: (tasks) => tasks.ask('parse', (task) => task.async.parse('a.md', '# a')),
  highlight: (tasks) => tasks.ask('highlight', (task) => task.async.highlight('a', '')),
  match: (tasks) => tasks.ask('match', (task) => task.async.check('a', '')),
};

async function errorOf(starting: Begun | Promise<Begun>): Promise<{ error: unknown; error_ms: number }> {
  const { call, broke_ms } = await starting;
  try {
    await call;
    return { error: undefined, error_ms: performance.now() - broke_ms };
  } catch (error) {
    return { error, error_ms: performance.now() - broke_ms };
  }
}

function describe(error: unknown): Pick<BreakOutcome, 'code' | 'message'> {
  if (!(error instanceof Error)) return { code: 'none', message: 'the call returned' };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return { code, message: error.message };
}

const isThere = ({ system }: Tasks, name: string): boolean => system.tasks().some((task) => task.name === name);

function taskLines({ system, restartsBefore }: Tasks): TaskLine[] {
  const tasks = system.tasks();
  const names = new Map<number, string>(tasks.map(({ id, name }) => [id, name]));
  return tasks.map(({ id, name, kind, state, partner, counts }) => ({
    ...{ id, name, kind },
    // It takes no calls: what it is asked comes by messages to its event loop, of which the kernel knows nothing.
    state: kind === 'supervisor' ? 'listening' : state,
    partner: partner === undefined ? undefined : names.get(partner),
    ...{ sent: counts.sent ?? 0, bytes: counts.bytes ?? 0, parks: counts.parks ?? 0 },
    restarts: (counts.restarts ?? 0) + restartsBefore(name),
  }));
}
