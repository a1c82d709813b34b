/**
 * Writes docs/api.md: what the package's entries export, as the sources say it. `--check` compares and writes nothing.
 *
 * The declarations are written to be read (rpc/types.ts holds no code), so they are quoted, their comments as prose
 * before them. A generator of documentation would need an older TypeScript beside ours, for one page.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSource } from './source.mjs';
import { fail, root } from './toolchain.mjs';

/** @typedef {import('./source.mjs').Source} Source @typedef {import('./source.mjs').Node} Node */

/** What a declaration is called, by the kind of its node. @param {Node} node */
const nameOf = (node) => node.id?.name ?? node.declarations?.[0]?.id?.name;

/** The text of a comment that ends right before an offset. @param {Source} source @param {number} start */
function commentBefore({ text, comments }, start) {
  const comment = comments.find(({ end }) => end <= start && text.slice(end, start).trim() === '');
  if (comment === undefined || !text.startsWith('/**', comment.start)) return '';
  const lines = text.slice(comment.start + 3, comment.end - 2).split('\n');
  return lines
    .map((line) => line.replace(/^\s*\*? ?/, ''))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The declarations of a file by name: prose, and code up to a function's body. @param {Source} source */
export function declarationsOf(source) {
  /** @type {Map<string, { prose: string, code: string }>} */
  const found = new Map();
  for (const node of source.program.body) {
    const isExport = node.type === 'ExportNamedDeclaration' && node.declaration;
    const declaration = isExport ? node.declaration : node;
    const name = nameOf(declaration);
    if (typeof name !== 'string') continue;
    const end = declaration.type === 'FunctionDeclaration' ? declaration.body?.start : declaration.end;
    const code = source.text.slice(declaration.start, end ?? declaration.end).trim();
    found.set(name, { prose: commentBefore(source, node.start), code });
  }
  return found;
}

/** The names that a file exports in lists. @param {Source} source @returns {string[]} */
function exportedBy(source) {
  const lists = source.program.body.filter((/** @type {Node} */ node) => node.type === 'ExportNamedDeclaration');
  return lists.flatMap((/** @type {Node} */ { specifiers }) =>
    specifiers.map((/** @type {Node} */ specifier) => String(specifier.exported.name)),
  );
}

/** @param {{ prose: string, code: string }} declaration @param {string} name */
const section = ({ prose, code }, name) => `### ${name}\n${prose}\n\n\`\`\`ts\n${code}\n\`\`\`\n`;

/**
 * @param {Map<string, { prose: string, code: string }>} declarations
 * @param {readonly string[]} names
 * @param {string} [title] in place of the name
 */
const sections = (declarations, names, title) =>
  names.flatMap((name) => {
    const declaration = declarations.get(name);
    return declaration === undefined ? [] : [section(declaration, title ?? name)];
  });

/** Values of the main entry by the names of their types. */
const values = { boot: 'Boot', bootSync: 'BootSync', task: 'MakeTask', lookup: 'Lookup', move: 'Move' };
const methods = ['Spawn', 'SpawnSync'];

function page() {
  const index = readSource('src/index.ts');
  const types = declarationsOf(readSource('src/rpc/types.ts'));
  const error = declarationsOf(readSource('src/rpc/ipc-error.ts'));
  const ipc = readSource('src/user/ipc.ts');
  const low = declarationsOf(ipc);
  const constants = exportedBy(ipc).filter((name) => /^[A-Z_]+$/.test(name));
  const functions = exportedBy(ipc).filter((name) => !/^[A-Z_]+$/.test(name) && low.has(name));
  const parts = [
    '# The exports',
    '',
    'Generated from the sources by `node scripts/api.mjs`. How they are used is in the [README](../README.md).',
    '',
    '## `l3kernel`: functions',
    ...Object.entries(values).flatMap(([name, type]) => sections(types, [type], name)),
    ...sections(error, ['IpcErrorDetails']),
    '## `l3kernel`: types',
    ...sections(types, [...exportedBy(index), ...methods]),
    '## `l3kernel/ipc`',
    ...sections(low, functions),
    `Results and constants: ${constants.map((name) => `\`${name}\``).join(', ')}.`,
    '',
  ];
  return parts.join('\n');
}

if (import.meta.main) {
  const path = join(root, 'docs/api.md');
  const text = page();
  if (!process.argv.includes('--check')) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text) fail('docs/api.md is not of the sources: run node scripts/api.mjs');
}
