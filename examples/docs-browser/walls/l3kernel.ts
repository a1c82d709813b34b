/**
 * Each part a task of l3kernel in its own worker: calls that return at once, callbacks into the waiting caller, and
 * a part that can be killed and replaced while the others go on.
 *
 * Indexing uses `.sync`: it is the caller that waits. What visitors ask for uses `.async`, so that the event loop
 * stays free, and the visitors' patterns have a time limit.
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

export async function openL3kernel(): Promise<Walls> {
  const system = await boot();
  const spawn = <Name extends keyof Parts>(name: Name): Promise<Task<Parts[Name]>> =>
    system.spawn<Parts[Name]>(partModules[name], { name });
  const [parse, highlight, stem, firstMatch, store] = await Promise.all([
    spawn('parse'),
    spawn('highlight'),
    spawn('stem'),
    spawn('match'),
    spawn('store'),
  ]);
  let match = firstMatch;
  let parser = parse;

  const parts: Parts = {
    parse: parser.with({ timeout: parse_time_max_ms }).sync,
    highlight: highlight.sync,
    stem: stem.sync,
    match: match.sync,
    store: store.sync,
  };
  const walls = syncWalls('l3kernel', parts, { callbacks: true, close: () => system.shutdown() });
  const { calls } = walls;

  return {
    ...walls,
    parse(markdown, link) {
      try {
        return walls.parse(markdown, link);
      } catch (error) {
        if (!isTimeout(error)) throw error;
        return replaceParser().then(() => Promise.reject(error));
      }
    },
    compile(source, flags) {
      calls.match++;
      return match.async.compile(source, flags);
    },
    async find(lines) {
      const limited = match.with({ timeout: line_time_max_ms });
      const found: Match[] = [];
      try {
        for (let first = 0; first < lines.length; first += lines_at_once) {
          const batch = lines.slice(first, first + lines_at_once);
          calls.match += batch.length;
          const places = await Promise.all(batch.map((line) => limited.async.find(line)));
          for (const [index, place] of places.entries()) {
            if (place) found.push({ line: first + index, start: place[0], end: place[1] });
          }
        }
      } catch (error) {
        if (!isTimeout(error)) throw error;
        await match.kill();
        match = await spawn('match');
        throw new SlowPattern(`a line took the pattern longer than ${line_time_max_ms} ms`);
      }
      return found;
    },
    page: counted(store.async.page),
    source: counted(store.async.source),
    search: counted(store.async.search),
    list: counted(store.async.list),
    digests: counted(store.async.digests),
  };

  async function replaceParser(): Promise<void> {
    await parser.kill();
    parser = await spawn('parse');
    parts.parse = parser.with({ timeout: parse_time_max_ms }).sync;
  }

  function counted<A extends unknown[], R>(method: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return (...args) => {
      calls.store++;
      return method(...args);
    };
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof IpcError && error.code === 'ERR_IPC_TIMEOUT';
}
