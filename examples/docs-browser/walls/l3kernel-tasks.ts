/**
 * The parts as tasks of l3kernel: which module each runs, what it may take, and who comes after it when it is gone.
 *
 * Invariant: a successor knows what its predecessor was told: the store its file, the parser its documents.
 */
import { boot, IpcError } from 'l3kernel';
import type { SpawnOptions, System, Task } from 'l3kernel';
import { partModules } from './walls.ts';
import type { Parts } from './walls.ts';

/** A line that takes longer is not worth waiting for; a document is allowed more, for the sake of slow machines. */
export const line_time_max_ms = 250;
const parse_time_max_ms = 20_000;
/** Several times what the largest document needs; a parser that takes more is ended before the machine suffers. */
const parse_heap_max_MiB = 256;

/** The module of each task: the part itself, or one that adds what only a task can do. */
export const taskModules: Record<keyof Parts, URL> = {
  ...partModules,
  parse: new URL('./l3kernel-parse.ts', import.meta.url),
  highlight: new URL('./l3kernel-highlight.ts', import.meta.url),
  match: new URL('./l3kernel-match.ts', import.meta.url),
};

interface PartTypes {
  parse: typeof import('./l3kernel-parse.ts');
  highlight: typeof import('./l3kernel-highlight.ts');
  stem: typeof import('stemmer');
  match: typeof import('./l3kernel-match.ts');
  store: typeof import('../tasks/store.ts');
}
export type PartName = keyof PartTypes;
export type TaskParts = { [Name in PartName]: Task<PartTypes[Name]> };

const optionsOf: { [Name in PartName]?: SpawnOptions } = {
  parse: { timeout: parse_time_max_ms, resourceLimits: { maxOldGenerationSizeMb: parse_heap_max_MiB } },
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
  /** How often a part was replaced. */
  replaced(name: string): number;
  /** Ends the task `old` and starts another in its place, once however many have found out that it is gone. */
  replace<Name extends PartName>(name: Name, old: TaskParts[Name]): Promise<void>;
  /** Asks a part, and its successor when it went away meanwhile. Only for questions that change nothing. */
  ask<Name extends PartName, R>(name: Name, question: (task: TaskParts[Name]) => Promise<R>): Promise<R>;
}

export async function openTasks(modules: Record<PartName, URL>): Promise<Tasks> {
  const system = await boot();
  const spawn = <Name extends PartName>(name: Name): Promise<TaskParts[Name]> =>
    system.spawn<PartTypes[Name]>(modules[name], { ...optionsOf[name], name }) as Promise<TaskParts[Name]>;
  const [parse, highlight, stem, match, store] = await Promise.all([
    ...([spawn('parse'), spawn('highlight'), spawn('stem'), spawn('match'), spawn('store')] as const),
  ]);
  let present: TaskParts = { parse, highlight, stem, match, store };
  const sync: Parts = {
    ...{ parse: parse.sync, highlight: highlight.sync, stem: stem.sync, match: match.sync, store: store.sync },
  };
  const replacing = new Map<PartName, Promise<void>>();
  const replaced = new Map<string, number>();

  async function startAnother<Name extends PartName>(name: Name, old: TaskParts[Name]): Promise<void> {
    await old.kill();
    const next = await spawn(name);
    if (name === 'store' && tasks.file !== undefined) await (next as TaskParts['store']).async.open(tasks.file);
    if (name === 'parse') await (next as TaskParts['parse']).async.setDocuments(tasks.documents);
    present = { ...present, [name]: next };
    (sync as Record<PartName, unknown>)[name] = next.sync;
    replaced.set(name, (replaced.get(name) ?? 0) + 1);
  }

  const tasks: Tasks = {
    system,
    sync,
    file: undefined,
    documents: [],
    all: () => present,
    replaced: (name) => replaced.get(name) ?? 0,
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
      const task = present[name];
      try {
        return await question(task);
      } catch (error) {
        if (!(error instanceof IpcError) || error.code !== 'ERR_IPC_PEER_GONE') throw error;
        await tasks.replace(name, task);
        return await question(present[name]);
      }
    },
  };
  return tasks;
}
