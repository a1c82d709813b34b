/**
 * Each part a task of l3kernel in its own worker: calls that return at once, from the caller and from part to
 * part, and parts that can be killed and replaced while the others go on.
 *
 * Indexing uses `.sync`: it is the caller that waits. What visitors ask for uses `.async`, so that the event loop
 * stays free, and the visitors' patterns have a time limit. Invariant: a part that is gone is replaced before the next
 * call to it, and a question (never a change) that was lost with it is asked once more.
 */
import { IpcError } from 'l3kernel';
import type { Page } from '../tasks/parse.ts';
import { openAccount } from './account.ts';
import { openInside } from './l3kernel-inside.ts';
import type { TimedPage } from './l3kernel-parse.ts';
import { line_time_max_ms, openTasks, taskModules } from './l3kernel-tasks.ts';
import type { PartName, TaskParts } from './l3kernel-tasks.ts';
import { parser_default, SlowPattern } from './walls.ts';
import type { Match, WallOptions, Walls } from './walls.ts';
import { syncWalls } from './sync-walls.ts';

/** Calls that are under way at once when a document is searched; more would only wait in line. */
const lines_at_once = 64;

/** Starts the parts; other `modules` may stand in their place. */
export async function openL3kernel(
  options: WallOptions = {},
  modules: Record<keyof TaskParts, URL> = taskModules(options.parser ?? parser_default),
): Promise<Walls> {
  const tasks = await openTasks(modules);
  let isClosed = false;
  const close = (): Promise<void> => {
    isClosed = true;
    return tasks.system.shutdown();
  };
  const walls = syncWalls('l3kernel', tasks.sync, { ...options, close });
  const { calls } = walls;
  const account = openAccount();
  const { note, timed } = account;

  /** Calls of a part that block this thread. While the parts end there may be nobody left to answer them. */
  function blocking<R>(part: PartName, calls: number, run: () => R): R {
    if (isClosed) throw new Error('the walls are closed');
    return timed(part, calls, run);
  }

  function noteBlocks(page: Page): Page {
    const { highlight_ms, engine } = page as Partial<TimedPage>;
    if (highlight_ms !== undefined) note('parse', 'highlight', page.blocks, highlight_ms);
    if (engine) note('parse', engine.name, 1, engine.ms);
    return page;
  }

  function askStore<R>(question: (task: TaskParts['store']) => Promise<R>): Promise<R> {
    calls.store++;
    return timed('store', 1, () => tasks.ask('store', question));
  }

  function askMatch<R>(question: (task: TaskParts['match']) => Promise<R>): Promise<R> {
    calls.match++;
    return timed('match', 1, () => tasks.ask('match', question));
  }

  return {
    ...walls,
    stem: (words) => blocking('stem', words.length, () => walls.stem(words)),
    add: (document) => blocking('store', 1, () => walls.add(document)),
    remove: (path) => blocking('store', 1, () => walls.remove(path)),
    setDocuments(paths) {
      tasks.documents = paths;
      return blocking('parse', 1, () => walls.setDocuments(paths));
    },
    async parse(path, markdown) {
      const before = tasks.all();
      const parse = async (): Promise<Page> =>
        noteBlocks(await blocking('parse', 1, () => walls.parse(path, markdown)));
      try {
        return await parse();
      } catch (error) {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        // Who took too long would do so again; it has been ended and replaced (`onTimeout`).
        if (failure.code === 'ERR_IPC_TIMEOUT') throw error;
        await tasks.revive(failure.part, before[failure.part]);
        return await parse();
      }
    },
    open(name) {
      tasks.file = name;
      return blocking('store', 1, () => walls.open(name));
    },
    check: (source, flags) => askMatch((task) => task.async.check(source, flags)),
    compile: (source, flags) => askMatch((task) => task.async.compile(source, flags)),
    async find(lines) {
      const { match } = tasks.all();
      const { find } = match.with({ timeout: line_time_max_ms }).async;
      const found: Match[] = [];
      try {
        for (let first = 0; first < lines.length; first += lines_at_once) {
          const batch = lines.slice(first, first + lines_at_once);
          calls.match += batch.length;
          const places = await timed('match', batch.length, () => Promise.all(batch.map((line) => find(line))));
          for (const [index, place] of places.entries()) {
            if (place) found.push({ line: first + index, start: place[0], end: place[1] });
          }
        }
      } catch (error) {
        if (!(error instanceof IpcError) || error.code !== 'ERR_IPC_TIMEOUT') throw error;
        throw new SlowPattern(`a line took it longer than ${line_time_max_ms} ms`);
      }
      return found;
    },
    list: () => askStore((task) => task.async.list()),
    digests: () => askStore((task) => task.async.digests()),
    page: (path) => askStore((task) => task.async.page(path)),
    source: (path) => askStore((task) => task.async.source(path)),
    text: (path) => askStore((task) => task.async.text(path)),
    search: (phrases, offset, limit) => askStore((task) => task.async.search(phrases, offset, limit)),
    bytesCopied: () => tasks.system.tasks().reduce((sum, { counts }) => sum + (counts.bytes ?? 0), 0),
    inside: openInside(tasks, account, noteBlocks),
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
