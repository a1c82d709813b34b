/**
 * `l3 run FILE [ARGUMENT…]`: imports a module, which boots a system and goes on with its work.
 *
 * The module sees itself as the program: `process.argv[1]` is its path and its arguments follow. `import.meta.main` is
 * false in it, which is why the whole module is the program and not a part behind a condition.
 */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Resolves to 0 once the module is evaluated, to 1 when it failed, to 2 when there is no such file. */
export async function run(args: string[]): Promise<number> {
  const [file, ...rest] = args;
  if (file === undefined || file === '--help') {
    process.stderr.write('Usage: l3 run FILE [ARGUMENT…]\n');
    return file === undefined ? 2 : 0;
  }
  const path = file.startsWith('file:') ? fileURLToPath(file) : resolve(file);
  if (!existsSync(path) || !statSync(path).isFile()) {
    process.stderr.write(`l3 run: there is no file ${path}\n`);
    return 2;
  }
  process.argv.splice(1, process.argv.length - 1, path, ...rest);
  try {
    await import(pathToFileURL(path).href);
    return 0;
  } catch (error) {
    process.stderr.write(
      `l3 run: ${file} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return 1;
  }
}
