/**
 * Finds the Markdown files below a folder, and says what each is called.
 *
 * Invariant: every file is found once, however many symbolic links lead to it; links out of the folder are not
 * followed, so that a link to `/` does not put the machine into the index; and the walk is bounded in depth and number.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';

/** One file found. `path` is relative to the folder, with `/` between its parts. */
export interface Found {
  path: string;
  package: string;
  file: string;
  size: number;
  mtime_ms: number;
}

const depth_max = 40;
export const documents_max = 4000;
/** What of a file is read; the few that are longer are cut there, and their pages say so. */
export const document_bytes_max = 1024 * 1024;

/**
 * All Markdown files below `folder`, by path. Throws when the folder cannot be read; skips what is in it and cannot.
 */
export async function findDocuments(folder: string): Promise<{ documents: Found[]; left_out: number }> {
  const root = await realpath(folder);
  const files = new Map<string, string>();
  const folders = new Set<string>();
  await readdir(root);

  const visit = async (directory: string, depth: number): Promise<void> => {
    if (depth > depth_max || folders.has(directory)) return;
    folders.add(directory);
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
    const below: string[] = [];
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (entry.name.startsWith('.')) {
        // pnpm keeps the packages in node_modules/.pnpm; the links that lead there are followed.
        continue;
      }
      if (entry.isDirectory()) below.push(path);
      else if (entry.isFile() && isMarkdown(entry.name)) files.set(path, path);
      else if (entry.isSymbolicLink()) {
        const target = await realpath(path).catch(() => '');
        if (!target.startsWith(root + sep)) continue;
        const kind = await stat(target).catch(() => undefined);
        if (kind?.isDirectory()) below.push(target);
        else if (kind?.isFile() && isMarkdown(entry.name)) files.set(target, target);
      }
    }
    await Promise.all(below.map((path) => visit(path, depth + 1)));
  };
  await visit(root, 0);

  const found = [...files.keys()].sort();
  const documents = await Promise.all(
    found.slice(0, documents_max).map(async (file): Promise<Found | undefined> => {
      const kind = await stat(file).catch(() => undefined);
      const path = relative(root, file).split(sep).join('/');
      return kind && { path, package: packageOf(path, root), file, size: kind.size, mtime_ms: kind.mtimeMs };
    }),
  );
  return {
    documents: documents.filter((document) => document !== undefined),
    left_out: Math.max(0, found.length - documents_max),
  };
}

function isMarkdown(name: string): boolean {
  return /\.(?:md|markdown)$/i.test(name);
}

/** The package a file belongs to: the last one on its path below a node_modules, else its top folder. */
export function packageOf(path: string, root: string): string {
  const parts = path.split('/');
  const inModules = basename(root) === 'node_modules' ? ['node_modules', ...parts] : parts;
  const last = inModules.lastIndexOf('node_modules');
  if (last >= 0 && last + 2 < inModules.length) {
    const [scope = '', name = ''] = inModules.slice(last + 1);
    return scope.startsWith('@') ? `${scope}/${name}` : scope;
  }
  return parts.length > 1 ? (parts[0] ?? '') : basename(root);
}

/**
 * The text of one file: UTF-8 (UTF-16 by its byte order mark), U+FFFD for what is not text, cut after
 * `document_bytes_max` bytes.
 */
export async function readDocument(file: string): Promise<string> {
  const bytes = (await readFile(file)).subarray(0, document_bytes_max);
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8';
  return new TextDecoder(encoding).decode(bytes).replaceAll('\0', '\uFFFD');
}
