/**
 * Each part a task of l3kernel in its own worker: calls that return at once, callbacks into the waiting caller, and
 * parts that can be killed and replaced while the others go on.
 *
 * Indexing uses `.sync`: it is the caller that waits. What visitors ask for uses `.async`, so that the event loop
 * stays free, and the visitors' patterns have a time limit. Invariant: a part that is gone is replaced before the next
 * call to it, and a question (never a change) that was lost with it is asked once more.
 */
import { boot, IpcError } from 'l3kernel';
import type { Task } from 'l3kernel';
import { partModules, SlowPattern } from './walls.ts';
import type { Match, Parts, Walls } from './walls.ts';
import { syncWalls } from './sync-walls.ts';

/** A line that takes longer is not worth waiting for; a document is allowed more, for the sake of slow machines. */
const line_time_max_ms = 250;
const parse_time_max_ms = 20_000;
/** Calls that are under way at once when a document is searched; more would only wait in line. */
const lines_at_once = 64;

type Tasks = { [Name in keyof Parts]: Task<Parts[Name]> };

export async function openL3kernel(): Promise<Walls> {
  const system = await boot();
  const spawn = <Name extends keyof Parts>(name: Name): Promise<Task<Parts[Name]>> =>
    system.spawn<Parts[Name]>(partModules[name], { name });
  const [parse, highlight, stem, match, store] = await Promise.all([
    ...([spawn('parse'), spawn('highlight'), spawn('stem'), spawn('match'), spawn('store')] as const),
  ]);
  const tasks: Tasks = { parse, highlight, stem, match, store };
  /** The file that the store has open; a new store opens it again. */
  let file: string | undefined;

  const parts: Parts = {
    parse: parse.with({ timeout: parse_time_max_ms }).sync,
    highlight: highlight.sync,
    stem: stem.sync,
    match: match.sync,
    store: store.sync,
  };
  const walls = syncWalls('l3kernel', parts, { callbacks: true, close: () => system.shutdown() });
  const { calls } = walls;

  /** Ends a task and starts another in its place. */
  async function replace<Name extends keyof Parts>(name: Name): Promise<void> {
    await tasks[name].kill();
    const next = await spawn(name);
    (tasks as Record<Name, Task<Parts[Name]>>)[name] = next;
    const limits = name === 'parse' ? next.with({ timeout: parse_time_max_ms }) : next;
    (parts as Record<Name, Parts[Name]>)[name] = limits.sync as Parts[Name];
    if (name === 'store' && file !== undefined) await tasks.store.async.open(file);
  }

  /** Asks a part, and its successor when it went away meanwhile. Only for questions that change nothing. */
  async function ask<Name extends keyof Parts, R>(name: Name, question: (task: Tasks[Name]) => Promise<R>): Promise<R> {
    try {
      return await question(tasks[name]);
    } catch (error) {
      if (!(error instanceof IpcError) || error.code !== 'ERR_IPC_PEER_GONE') throw error;
      await replace(name);
      return await question(tasks[name]);
    }
  }

  function askStore<R>(question: (task: Tasks['store']) => Promise<R>): Promise<R> {
    calls.store++;
    return ask('store', question);
  }

  return {
    ...walls,
    async parse(markdown, link) {
      try {
        return await walls.parse(markdown, link);
      } catch (error) {
        if (isTimeout(error)) await replace('parse');
        throw error;
      }
    },
    open(name) {
      file = name;
      return walls.open(name);
    },
    compile(source, flags) {
      calls.match++;
      return ask('match', (task) => task.async.compile(source, flags));
    },
    async find(lines) {
      const { find } = tasks.match.with({ timeout: line_time_max_ms }).async;
      const found: Match[] = [];
      try {
        for (let first = 0; first < lines.length; first += lines_at_once) {
          const batch = lines.slice(first, first + lines_at_once);
          calls.match += batch.length;
          const places = await Promise.all(batch.map((line) => find(line)));
          for (const [index, place] of places.entries()) {
            if (place) found.push({ line: first + index, start: place[0], end: place[1] });
          }
        }
      } catch (error) {
        if (!isTimeout(error)) throw error;
        await replace('match');
        throw new SlowPattern(`a line took it longer than ${line_time_max_ms} ms`);
      }
      return found;
    },
    list: () => askStore((task) => task.async.list()),
    digests: () => askStore((task) => task.async.digests()),
    page: (path) => askStore((task) => task.async.page(path)),
    source: (path) => askStore((task) => task.async.source(path)),
    search: (phrases, offset, limit) => askStore((task) => task.async.search(phrases, offset, limit)),
    traffic() {
      let ipc = 0;
      let bytes = 0;
      for (const { counts } of system.tasks()) {
        for (const [name, count] of Object.entries(counts)) {
          if (name === 'calls') ipc += count;
          if (/bytes/i.test(name)) bytes += count;
        }
      }
      return { ipc, bytes };
    },
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof IpcError && error.code === 'ERR_IPC_TIMEOUT';
}
