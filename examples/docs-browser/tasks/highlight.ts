/**
 * The part that colours code: highlight.js with its common languages, one call per code block.
 *
 * highlight.js returns an object with functions in it, which no wall lets through; this module keeps the HTML only.
 * Invariant: the answer is HTML in which every character of the code is escaped, also when nothing could be coloured.
 */
import highlighter from 'highlight.js/lib/common';

/** Longer blocks are shown without colours: the highlighter's patterns are a stranger's, and some are slow. */
const code_length_max = 60_000;

/** HTML of one code block. `language` is what the author wrote after the fence: anything. */
export function highlight(code: string, language: string): string {
  if (code.length <= code_length_max && highlighter.getLanguage(language)) {
    return highlighter.highlight(code, { language, ignoreIllegals: true }).value;
  }
  return code.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
