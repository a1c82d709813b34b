/**
 * Each part in a worker, called by messages through Comlink's Node adapter and awaited one by one: what a program
 * with this grain of calls looks like without a kernel. Calls cannot be made back into a caller that waits in a
 * synchronous library, nor from one part into another, so parsing takes two of them.
 */
import { Worker } from 'node:worker_threads';
import { wrap } from 'comlink/dist/esm/comlink.mjs';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { Remote } from 'comlink';
import { noCalls, parser_default, partModules, SampleOver } from './walls.ts';
import type { Match, SplitParts, WallOptions, Walls } from './walls.ts';

export function openComlink(options: WallOptions = {}): Walls {
  const workers: Worker[] = [];
  const modules = partModules(options.parser ?? parser_default);
  const open = <Name extends keyof SplitParts>(name: Name): Remote<SplitParts[Name]> => {
    const worker = new Worker(new URL('./comlink-worker.ts', import.meta.url), {
      workerData: { module: modules[name].href },
    });
    workers.push(worker);
    return wrap<SplitParts[Name]>(nodeEndpoint(worker));
  };
  const parse = open('parse');
  const highlight = open('highlight');
  const stem = open('stem');
  const match = open('match');
  const store = open('store');
  const calls = noCalls();

  return {
    name: 'comlink',
    calls,
    async setDocuments(paths) {
      calls.parse++;
      await parse.setDocuments(paths);
    },
    async parse(path, markdown) {
      calls.parse += 2;
      const coloured: string[] = [];
      for (const { code, language } of await parse.draft(path, markdown)) {
        calls.highlight++;
        coloured.push(await highlight.highlight(code, language));
      }
      return await parse.fill(coloured);
    },
    async stem(words) {
      const stems: string[] = [];
      for (const word of words) {
        if (performance.now() > (options.sample?.deadline_ms ?? Infinity)) throw new SampleOver();
        calls.stem++;
        stems.push(await stem.stemmer(word));
      }
      return stems;
    },
    check(source, flags) {
      calls.match++;
      return match.check(source, flags);
    },
    compile(source, flags) {
      calls.match++;
      return match.compile(source, flags);
    },
    async find(lines) {
      const found: Match[] = [];
      for (const [line, text] of lines.entries()) {
        calls.match++;
        const place = await match.find(text);
        if (place) found.push({ line, start: place[0], end: place[1] });
      }
      return found;
    },
    open: counted(store.open),
    begin: counted(store.begin),
    add: counted(store.add),
    remove: counted(store.remove),
    finish: counted(store.finish),
    completeKey: counted(store.completeKey),
    list: counted(store.list),
    digests: counted(store.digests),
    page: counted(store.page),
    source: counted(store.source),
    text: counted(store.text),
    search: counted(store.search),
    bytesCopied: () => undefined,
    async close() {
      await store.close();
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };

  function counted<A extends unknown[], R>(method: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      calls.store++;
      return method(...args);
    };
  }
}
