/**
 * The modules that `--import` names, in a worker. Node imports them before the main module of a worker that is a file;
 * of a worker that evaluates a text, as ours do, it leaves them out. (`--require` it does not.)
 */

/** The specifiers, in their order, in a list of Node's options. */
export function importsIn(options: readonly string[]): string[] {
  const found: string[] = [];
  for (let i = 0; i < options.length; i++) {
    const match = /^--import(?:=(.*))?$/s.exec(options[i]!);
    if (match === null) continue;
    const name = match[1] ?? options[++i];
    if (name !== undefined) found.push(name);
  }
  return found;
}

/** The options in NODE_OPTIONS: words, in which double quotes hold spaces, and a backslash in them any character. */
export const wordsOf = (text: string): string[] =>
  [...text.matchAll(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g)].map(([word]) =>
    word.replaceAll(/"((?:\\.|[^"\\])*)"/g, (_, quoted: string) => quoted.replaceAll(/\\(.)/g, '$1')),
  );

/** For the text of a worker that loads the rest from a file: an import of the text's own, from where it is resolved. */
export const IMPORTER = "globalThis[Symbol.for('l3kernel.import')] = (name) => import(name);";

const KEY = Symbol.for('l3kernel.import');
const agent = globalThis as { [KEY]?: (name: string) => Promise<unknown> };

/**
 * Imports them. They are resolved from the working directory, as the import of an evaluated text is, and that of a file
 * is not.
 */
export async function preload(): Promise<void> {
  const options = [...wordsOf(process.env['NODE_OPTIONS'] ?? ''), ...process.execArgv];
  const load = agent[KEY] ?? ((name: string) => import(name));
  delete agent[KEY];
  for (const specifier of importsIn(options)) await load(specifier);
}
