/** What the source checks share: a file's text, syntax tree and imports, and its code without comments and strings. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'rolldown/utils';
import { root } from './toolchain.mjs';

/**
 * @typedef {{ type: string, start: number, end: number, [key: string]: any }} Node
 * @typedef {{ start: number, end: number }} Span
 * @typedef {{ path: string, text: string, program: Node, comments: Span[], lineAt: (offset: number) => number }} Source
 */

const importTypes = [
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
];

/** @param {string} path relative to the root @returns {Source} */
export function readSource(path) {
  return parseSource(path, readFileSync(join(root, path), 'utf8'));
}

/** @param {string} path of which the ending says the language @param {string} text @returns {Source} */
export function parseSource(path, text) {
  const result = parseSync(path, text);
  if (result.errors.length > 0) throw new Error(`${path}: ${result.errors[0].message}`);
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  const lineAt = (/** @type {number} */ offset) => {
    let line = starts.length;
    while (starts[line - 1] > offset) line -= 1;
    return line;
  };
  const program = /** @type {Node} */ (/** @type {unknown} */ (result.program));
  return { path, text, program, comments: result.comments, lineAt };
}

/** Every node of a syntax tree, parents before children. @param {any} value @returns {Generator<Node>} */
export function* nodes(value) {
  if (value === null || typeof value !== 'object') return;
  if (Array.isArray(value)) {
    for (const item of value) yield* nodes(item);
    return;
  }
  if (typeof value.type === 'string') yield value;
  for (const child of Object.values(value)) yield* nodes(child);
}

/**
 * What a file imports, in the order of the text, types and dynamic imports of literal names included. `start` and `end`
 * span the quoted name.
 * @param {Source} source
 */
export function importsOf(source) {
  const found = [];
  for (const node of nodes(source.program)) {
    if (!importTypes.includes(node.type)) continue;
    const literal = node.source ?? node.argument?.literal ?? node.argument;
    if (typeof literal?.value !== 'string') continue;
    const { value: name, start, end } = literal;
    found.push({ name: String(name), start: Number(start), end: Number(end), line: source.lineAt(start) });
  }
  return found.sort((a, b) => a.start - b.start);
}

/** The text with comments, strings and templates blanked out, line breaks kept. @param {Source} source */
export function bareCode(source) {
  /** @type {Span[]} */
  const spans = [...source.comments];
  for (const node of nodes(source.program)) {
    if (node.type === 'TemplateElement' || (node.type === 'Literal' && typeof node.value === 'string'))
      spans.push(node);
  }
  let code = source.text;
  for (const { start, end } of spans) {
    code = code.slice(0, start) + code.slice(start, end).replaceAll(/[^\n]/g, ' ') + code.slice(end);
  }
  return code;
}

/**
 * Prints what is wrong and sets the exit code, or says how much was looked at.
 * @param {string[]} complaints
 * @param {string} looked
 */
export function report(complaints, looked) {
  for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
  if (complaints.length > 0) process.exitCode = 1;
  else process.stdout.write(`${looked}\n`);
}
