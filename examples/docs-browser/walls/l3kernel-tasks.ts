/**
 * The parts as tasks of l3kernel: which module each runs, what it may take, and what happens when it ends.
 *
 * A part that fails is started again by the supervisor, behind the same stub; three of them are ended when a
 * call outlives its timeout, and replaced by a spare. What the supervisor leaves to us is a part that ended for good:
 * by
 * `kill`, or because it failed too often. Invariant: whoever comes after a part knows what that was told: the store its
 * file, the parser its documents.
 */
import { boot, IpcError } from 'l3kernel';
import type { SpawnOptions, System, Task } from 'l3kernel';
import { partModules } from './walls.ts';
import type { ParserName, Parts } from './walls.ts';

/** A line that takes longer is not worth waiting for; a document is allowed more, for the sake of slow machines. */
export const line_time_max_ms = 250;
const parse_time_max_ms = 20_000;
/** Well below what a document may take, so that the blame falls on the right part. */
const block_time_max_ms = 5000;
/** Several times what the largest document needs; a parser that takes more is ended before the machine suffers. */
const parse_heap_max_MiB = 256;

/** A question may meet the end of several parts in a row, as patterns of several visitors take too long. */
const questions_max = 8;
const end_heard_max_ms = 60;

/** The module of each task: the part itself, or one that adds what only a task can do. */
export const taskModules = (parser: ParserName): Record<keyof Parts, URL> => ({
  ...partModules(parser),
  parse: new URL(`./l3kernel-parse-${parser}.ts`, import.meta.url),
  highlight: new URL('./l3kernel-highlight.ts', import.meta.url),
  match: new URL('./l3kernel-match.ts', import.meta.url),
});

/** What a parser may ask of its chief. */
export interface ParserHost {
  documents: () => readonly string[];
}

interface PartTypes {
  parse: typeof import('./l3kernel-parse-wasm.ts');
  highlight: typeof import('./l3kernel-highlight.ts');
  stem: typeof import('stemmer');
  match: typeof import('./l3kernel-match.ts');
  store: typeof import('../tasks/store.ts');
}
export type PartName = keyof PartTypes;
export type TaskParts = { [Name in PartName]: Task<PartTypes[Name]> };

const optionsOf: { [Name in PartName]: SpawnOptions } = {
  parse: {
    ...{ restart: 'on-failure', timeout: parse_time_max_ms, onTimeout: 'kill' },
    resourceLimits: { maxOldGenerationSizeMb: parse_heap_max_MiB },
  },
  highlight: { restart: 'on-failure', timeout: block_time_max_ms, onTimeout: 'kill' },
  stem: { restart: 'on-failure' },
  match: { restart: 'on-failure', onTimeout: 'kill' },
  // Its open transaction is lost with it, so that who writes has to hear of its end; who reads comes after `replace`.
  store: {},
};

export interface Tasks {
  readonly system: System;
  /** Their `.sync` stubs, always those of the present tasks. */
  readonly sync: Parts;
  /** The file that the store has open; a new store opens it again. */
  file: string | undefined;
  /** The documents that the parser knows; a new parser is told again. */
  documents: readonly string[];
  /** The present tasks. */
  all(): TaskParts;
  /** How often a part was started in the place of one that had ended for good, and restarts of those before it. */
  restartsBefore(name: string): number;
  /** Ends the task `old` for good and starts another in its place, once however many find that it is needed. */
  replace<Name extends PartName>(name: Name, old: TaskParts[Name]): Promise<void>;
  /** After a call met the end of `task`: starts another in its place unless the supervisor does. */
  revive<Name extends PartName>(name: Name, task: TaskParts[Name]): Promise<void>;
  /** Asks a part, and again when it ended meanwhile. Only for questions that change nothing. */
  ask<Name extends PartName, R>(name: Name, question: (task: TaskParts[Name]) => Promise<R>): Promise<R>;
}

export async function openTasks(modules: Record<PartName, URL>): Promise<Tasks> {
  const system = await boot();
  const host: ParserHost = { documents: () => tasks.documents };
  const spawn = <Name extends PartName>(name: Name): Promise<TaskParts[Name]> =>
    system.spawn<PartTypes[Name]>(modules[name], { ...optionsOf[name], name, host }) as Promise<TaskParts[Name]>;
  const [parse, highlight, stem, match, store] = await Promise.all([
    ...([spawn('parse'), spawn('highlight'), spawn('stem'), spawn('match'), spawn('store')] as const),
  ]);
  let present: TaskParts = { parse, highlight, stem, match, store };
  const sync: Parts = {
    ...{ parse: parse.sync, highlight: highlight.sync, stem: stem.sync, match: match.sync, store: store.sync },
  };
  const replacing = new Map<PartName, Promise<void>>();
  const restarts = new Map<string, number>();

  async function startAnother<Name extends PartName>(name: Name, old: TaskParts[Name]): Promise<void> {
    const before = system.tasks().find((task) => task.name === name)?.counts.restarts ?? 0;
    await old.kill();
    const next = await spawn(name);
    if (name === 'store' && tasks.file !== undefined) await (next as TaskParts['store']).async.open(tasks.file);
    present = { ...present, [name]: next };
    (sync as Record<PartName, unknown>)[name] = next.sync;
    restarts.set(name, (restarts.get(name) ?? 0) + before + 1);
  }

  const tasks: Tasks = {
    system,
    sync,
    file: undefined,
    documents: [],
    all: () => present,
    restartsBefore: (name) => restarts.get(name) ?? 0,
    replace(name, old) {
      if (present[name] !== old) return Promise.resolve();
      let begun = replacing.get(name);
      if (!begun) {
        begun = startAnother(name, old).finally(() => replacing.delete(name));
        replacing.set(name, begun);
      }
      return begun;
    },
    async ask(name, question) {
      for (let asked = 1; ; asked++) {
        const task = present[name];
        try {
          return await question(task);
        } catch (error) {
          if (!isGone(error) || asked === questions_max) throw error;
          await tasks.revive(name, task);
        }
      }
    },
    async revive(name, task) {
      // Of an end for good this thread hears a little later than its calls do.
      const until_ms = performance.now() + end_heard_max_ms;
      while (task.alive && performance.now() < until_ms) await new Promise((resolve) => setTimeout(resolve, 5));
      if (!task.alive) await tasks.replace(name, task);
    },
  };
  return tasks;
}

export function isGone(error: unknown): boolean {
  return error instanceof IpcError && error.code === 'ERR_IPC_PEER_GONE';
}
