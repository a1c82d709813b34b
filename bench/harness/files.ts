/**
 * Where the modules of the benchmark lie. The sources are in the checkout; the measuring processes run a bundle of them
 * (see bundle.ts), which the parent has made and names in the environment. Everything that starts a module by URL (a
 * worker, a child process, a task) asks here.
 */
import { pathToFileURL } from 'node:url';

/** Folder of the bundle; not set: the sources themselves run. */
export const BUILT_VARIABLE = 'L3KERNEL_BENCH_BUILT';
/** Folder bench/ of the checkout, as a URL: inside the bundle `import.meta.url` is of the bundle. */
export const SOURCES_VARIABLE = 'L3KERNEL_BENCH_SOURCES';
/** The library as the public rows import it, as a URL. */
export const LIBRARY_VARIABLE = 'L3KERNEL_BENCH_LIBRARY';

const sources = process.env[SOURCES_VARIABLE] ?? new URL('..', import.meta.url).href;
const built = process.env[BUILT_VARIABLE];

/** A file of the checkout, by its path relative to bench/. */
export const sourceUrl = (path: string): URL => new URL(path, sources);

/** A module of the benchmark, by its path relative to bench/: from the bundle when there is one. */
export function moduleUrl(path: string): URL {
  if (built === undefined) return sourceUrl(path);
  return new URL(path.replace(/\.ts$/, '.mjs'), pathToFileURL(`${built}/`));
}

/** The library's entry. */
export const libraryUrl = (): URL => new URL(process.env[LIBRARY_VARIABLE] ?? sourceUrl('../src/index.ts').href);
