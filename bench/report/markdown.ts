/** Figures and tables as text. */
export { duration } from '../../scripts/readme-figures.mjs';

export const times = (ratio: number): string => ratio.toFixed(ratio < 0.1 ? 3 : ratio < 10 ? 2 : 0);
export const percent = (ratio: number): string =>
  `${ratio >= 1 ? '+' : '−'}${Math.abs((ratio - 1) * 100).toFixed(0)} %`;
export const spread = ({ p10, p90 }: { p10: number; p90: number }): string => `${times(p10)} to ${times(p90)}`;

export function table(head: readonly string[], lines: readonly (readonly string[])[]): string[] {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`);
}

/** What stands in place of a table whose suite has not run. */
export const made = (suite: string): string =>
  `Not measured yet: \`npx l3 bench ${suite} --json > bench/results/${suite}.json\`.`;
