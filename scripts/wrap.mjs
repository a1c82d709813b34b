/**
 * Wraps comment lines that are too long, which the formatter leaves alone: words that do not fit go to the next line of
 * the same paragraph. A line that opens a paragraph, a list item, a tag or a drawing takes no words from above.
 */

export const columns = 120;

const commentLine = /^(\s*(?:\*|\/\/) )(.*)$/;
/** Indented text and columns of text are drawings, which only their author can narrow. */
const drawing = /^\s|\S {2,}\S/;
const opensParagraph = /^(?:[-*+|@#>`]|\d+\.|\([a-z0-9]+\)|\s)/;

/**
 * The lines of a text that are too long inside a comment, counted from 1. @param {import('./source.mjs').Source} source
 */
export function longCommentLines(source) {
  const found = [];
  let start = 0;
  for (const [index, line] of source.text.split('\n').entries()) {
    const over = start + columns;
    // A line that is one long word, such as an address, cannot be broken.
    const isOneWord = !/\S\s+\S/.test(line.trim().replace(/^(?:\*|\/\/)\s*/, ''));
    if (line.length > columns && !isOneWord && source.comments.some((one) => one.start < over && over < one.end)) {
      found.push(index + 1);
    }
    start += line.length + 1;
  }
  return found;
}

/** The text with those lines wrapped that begin inside a comment. @param {import('./source.mjs').Source} source */
export function wrapComments(source) {
  const long = new Set(longCommentLines(source));
  const lines = source.text.split('\n');
  const out = [];
  let carried = '';
  for (const [index, original] of lines.entries()) {
    let line = original;
    const match = commentLine.exec(line);
    if (carried !== '' && match) line = `${match[1]}${carried} ${match[2]}`;
    carried = '';
    const single = /^(\s*)\/\*\* (.*) \*\/$/.exec(line);
    if (single && long.has(index + 1)) {
      // A one-line comment becomes a block, whose line is then wrapped like any other.
      out.push(`${single[1]}/**`, ...wrapLine(`${single[1]} * ${single[2]}`), `${single[1]} */`);
      continue;
    }
    const wrapped = match && (long.has(index + 1) || line !== original) ? wrapLine(line) : [line];
    const next = commentLine.exec(lines[index + 1] ?? '');
    const isSame = next && next[1] === match?.[1] && next[2] !== '';
    const goesOn = isSame && !opensParagraph.test(next[2]) && !drawing.test(next[2]);
    if (wrapped.length > 1 && goesOn) {
      const rest = wrapped.pop() ?? '';
      carried = commentLine.exec(rest)?.[2] ?? '';
    }
    out.push(...wrapped);
  }
  return out.join('\n');
}

/** @param {string} line of a comment @returns {string[]} */
function wrapLine(line) {
  const match = commentLine.exec(line);
  if (!match || line.length <= columns || drawing.test(match[2])) return [line];
  const [, prefix, text] = match;
  const end = text.endsWith(' */') ? text.length - 3 : text.length;
  const at = text.slice(0, Math.min(end, columns - prefix.length + 1)).lastIndexOf(' ');
  // Under a list item the words go on below its text.
  const item = /^(?:[-*+]|\d+\.|\([a-z0-9]+\)) /.exec(text);
  const indent = item ? ' '.repeat(item[0].length) : '';
  if (at <= indent.length) return [line];
  return [`${prefix}${text.slice(0, at)}`, ...wrapLine(`${prefix}${indent}${text.slice(at + 1)}`)];
}
