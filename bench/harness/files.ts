/**
 * Addresses of sibling modules. The sources run directly, as `.ts`; a build runs them as `.js`. Everything that names a
 * module by URL (a worker, a child process, a task) asks here, so that both work.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The URL of `path` relative to `base`, with `.js` in place of `.ts` when only that exists. */
export function moduleUrl(path: string, base: string): URL {
  const url = new URL(path, base);
  if (existsSync(fileURLToPath(url))) return url;
  const built = new URL(path.replace(/\.ts$/, '.js'), base);
  if (existsSync(fileURLToPath(built))) return built;
  throw new Error(`no module at ${fileURLToPath(url)}, nor as .js`);
}
