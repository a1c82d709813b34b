/** Tables in a page of the documentation, between two markers. */

export const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** Puts lines between the markers of this name. */
export function replaced(text: string, name: string, lines: readonly string[]): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no place for '${name}'`);
  return `${text.slice(0, from)}${begin}\n${lines.join('\n')}\n${text.slice(to)}`;
}
