/**
 * A test over the source text: what a reader trips over and no compiler minds. Every file of src/ opens with a comment
 * that says what it is; lines fit; leftovers and muted tests do not stay; test titles state what is, in plain verbs.
 */
import { nodes, readSource, report } from './source.mjs';
import { filesBelow } from './toolchain.mjs';
import { columns, longCommentLines } from './wrap.mjs';

/** @type {[pattern: RegExp, reason: string][]} */
const banned = [
  [/\b(?:TODO|FIXME|XXX|HACK)\b/, 'a leftover: do it or drop it'],
  [/\b(?:test|it|describe|suite)\.(?:only|skip|todo)\b|[{,]\s*(?:only|skip|todo):\s*(?:true|'|"|`)/, 'a muted test'],
  [/\bplaywright install\b|\/home\/|\/root\/|\/Users\//, 'a path of one machine'],
];

const testCalls = ['test', 'it', 'describe', 'suite'];

/** The titles of the tests in a file, with their lines. @param {import('./source.mjs').Source} source */
function titles(source) {
  const found = [];
  for (const node of nodes(source.program)) {
    if (node.type !== 'CallExpression') continue;
    const callee = node.callee.type === 'MemberExpression' ? node.callee.property : node.callee;
    const title = node.arguments[0];
    if (!testCalls.includes(callee.name) || !title) continue;
    const text = title.type === 'Literal' ? String(title.value) : source.text.slice(title.start, title.end);
    found.push({ text, line: source.lineAt(node.start) });
  }
  return found;
}

/** @param {import('./source.mjs').Source} source @returns {string[]} */
export function tidyComplaints(source) {
  const { path, text } = source;
  const complaints = [];
  if (!/^(?:#![^\n]*\n)?(?:\/\*|\/\/)/.test(text))
    complaints.push(`${path}:1: opens with no comment that says what it is`);
  // The formatter sees to the lines of code; it never breaks a comment.
  for (const line of longCommentLines(source))
    complaints.push(`${path}:${line}: a comment of more than ${columns} columns`);
  for (const [index, line] of text.split('\n').entries()) {
    for (const [pattern, reason] of banned) {
      if (pattern.test(line)) complaints.push(`${path}:${index + 1}: '${pattern.exec(line)?.[0].trim()}': ${reason}`);
    }
  }
  if (!path.endsWith('.test.ts')) return complaints;
  for (const { text: title, line } of titles(source)) {
    if (/\bshould\b/i.test(title)) complaints.push(`${path}:${line}: the title says 'should'; say what happens`);
  }
  return complaints;
}

if (import.meta.main) {
  // The two files that name the banned words as such are left out.
  const exempt = ['scripts/tidy.mjs', 'scripts/checks.test.ts'];
  const files = ['src', 'test', 'examples', 'bench', 'scripts']
    .flatMap((folder) => filesBelow(folder))
    .filter((path) => /\.(?:ts|mjs|js)$/.test(path) && !exempt.includes(path));
  const complaints = files.flatMap((path) => tidyComplaints(readSource(path)));
  report(complaints, `${files.length} files are tidy`);
}
