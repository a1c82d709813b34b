/**
 * The scripts of workers as files. An evaluated text is parsed by every worker anew, some 15 ms; a file's code comes
 * out of Node's compile cache after the first time. Where the package was bundled there are no such files, and the
 * texts stay.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { IMPORTER } from './preload.ts';

type Texts = Readonly<Record<'task' | 'supervisor', string>>;

/** A file in an archive is there for who patched `fs`: a worker's may not be patched. */
const IN_ARCHIVE = /\.(?:zip|asar)[/\\]/;

/**
 * For each text a short one that loads the same script from its file, if that is there. `place` is the URL of the
 * module beside which the files are, `names` are theirs.
 */
export function preferFiles(texts: Texts, names: Texts, place: string | undefined): Texts {
  if (place === undefined || !place.startsWith('file:')) return texts;
  const textOf = (role: keyof Texts): string => {
    const path = fileURLToPath(new URL(names[role], place));
    return existsSync(path) && !IN_ARCHIVE.test(path) ? loading(path) : texts[role];
  };
  return { task: textOf('task'), supervisor: textOf('supervisor') };
}

const loading = (path: string): string =>
  `require('node:module').enableCompileCache?.(); ${IMPORTER} require(${JSON.stringify(path)});`;
