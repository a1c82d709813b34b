/**
 * Each part a task of l3kernel in its own worker: calls that return at once, from the caller and from part to
 * part, and parts that can be killed and replaced while the others go on.
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

/** The module of each task. The parser calls the highlighter itself, so that its module knows how to find it. */
export const taskModules: Record<keyof Parts, URL> = {
  ...partModules,
  parse: new URL('./l3kernel-parse.ts', import.meta.url),
};

type Tasks = { [Name in keyof Parts]: Task<Parts[Name]> };

/** Starts the parts; other `modules` may stand in their place. */
export async function openL3kernel(modules: Record<keyof Parts, URL> = taskModules): Promise<Walls> {
  const system = await boot();
  const spawn = <Name extends keyof Parts>(name: Name): Promise<Task<Parts[Name]>> =>
    system.spawn<Parts[Name]>(modules[name], { name });
  const [highlight, parse, stem, match, store] = await Promise.all([
    ...([spawn('highlight'), spawn('parse'), spawn('stem'), spawn('match'), spawn('store')] as const),
  ]);
  const tasks: Tasks = { parse, highlight, stem, match, store };
  /** The file that the store has open; a new store opens it again. */
  let file: string | undefined;
  /** The documents that the parser knows; a new parser is told again. */
  let documents: readonly string[] = [];

  const parts: Parts = {
    parse: parse.with({ timeout: parse_time_max_ms }).sync,
    highlight: highlight.sync,
    stem: stem.sync,
    match: match.sync,
    store: store.sync,
  };
  const walls = syncWalls('l3kernel', parts, { close: () => system.shutdown() });
  const { calls } = walls;

  const replacing = new Map<keyof Parts, Promise<void>>();

  /** Ends the task `old` and starts another in its place, once however many have found out that it is gone. */
  function replace<Name extends keyof Parts>(name: Name, old: Tasks[Name]): Promise<void> {
    if (tasks[name] !== old) return Promise.resolve();
    let begun = replacing.get(name);
    if (!begun) {
      begun = startAnother(name, old).finally(() => replacing.delete(name));
      replacing.set(name, begun);
    }
    return begun;
  }

  async function startAnother<Name extends keyof Parts>(name: Name, old: Tasks[Name]): Promise<void> {
    await old.kill();
    const next = await spawn(name);
    if (name === 'store' && file !== undefined) await (next as Task<Parts['store']>).async.open(file);
    if (name === 'parse') await (next as Task<Parts['parse']>).async.setDocuments(documents);
    const limits = name === 'parse' ? next.with({ timeout: parse_time_max_ms }) : next;
    (tasks as Record<Name, Task<Parts[Name]>>)[name] = next;
    (parts as Record<Name, Parts[Name]>)[name] = limits.sync as Parts[Name];
  }

  /** Asks a part, and its successor when it went away meanwhile. Only for questions that change nothing. */
  async function ask<Name extends keyof Parts, R>(name: Name, question: (task: Tasks[Name]) => Promise<R>): Promise<R> {
    const task = tasks[name];
    try {
      return await question(task);
    } catch (error) {
      if (!(error instanceof IpcError) || error.code !== 'ERR_IPC_PEER_GONE') throw error;
      await replace(name, task);
      return await question(tasks[name]);
    }
  }

  function askStore<R>(question: (task: Tasks['store']) => Promise<R>): Promise<R> {
    calls.store++;
    return ask('store', question);
  }

  return {
    ...walls,
    setDocuments(paths) {
      documents = paths;
      return walls.setDocuments(paths);
    },
    async parse(path, markdown) {
      const before = { ...tasks };
      try {
        return await walls.parse(path, markdown);
      } catch (error) {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        await replace(failure.part, before[failure.part]);
        // Who took too long would do so again.
        if (failure.code === 'ERR_IPC_TIMEOUT') throw error;
        return await walls.parse(path, markdown);
      }
    },
    open(name) {
      file = name;
      return walls.open(name);
    },
    check(source, flags) {
      calls.match++;
      return ask('match', (task) => task.async.check(source, flags));
    },
    compile(source, flags) {
      calls.match++;
      return ask('match', (task) => task.async.compile(source, flags));
    },
    async find(lines) {
      const task = tasks.match;
      const { find } = task.with({ timeout: line_time_max_ms }).async;
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
        await replace('match', task);
        throw new SlowPattern(`a line took it longer than ${line_time_max_ms} ms`);
      }
      return found;
    },
    list: () => askStore((task) => task.async.list()),
    digests: () => askStore((task) => task.async.digests()),
    page: (path) => askStore((task) => task.async.page(path)),
    source: (path) => askStore((task) => task.async.source(path)),
    search: (phrases, offset, limit) => askStore((task) => task.async.search(phrases, offset, limit)),
    bytesCopied: () => system.tasks().reduce((sum, { counts }) => sum + (counts.bytes ?? 0), 0),
  };
}

/**
 * Which part failed a call of `parse`, undefined for an error of its code. An IpcError is about the parser itself; what
 * the parser met on its way to the highlighter arrives as an error of the callee with the same code.
 */
function failureOf(error: unknown): { part: 'parse' | 'highlight'; code: string } | undefined {
  if (error instanceof IpcError) return { part: 'parse', code: error.code };
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('ERR_IPC_') ? { part: 'highlight', code } : undefined;
}

function isTimeout(error: unknown): boolean {
  return error instanceof IpcError && error.code === 'ERR_IPC_TIMEOUT';
}
