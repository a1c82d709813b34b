/**
 * The part that runs the visitors' regular expressions, one call per line.
 *
 * A regular expression can take longer than the universe has left. In here it takes down nothing but this part: the
 * caller has a time limit, kills the task and starts another.
 */

/** Longer lines are searched up to here. */
const line_length_max = 10_000;

let pattern: RegExp | undefined;

/** Throws the engine's own SyntaxError for what is no pattern; what `find` looks for stays as it is. */
export function check(source: string, flags: string): void {
  new RegExp(source, flags);
}

/** Sets the pattern for the next calls of `find`. Throws the engine's own SyntaxError. */
export function compile(source: string, flags: string): void {
  // With `g` or `y` the pattern would remember where it stopped in the line before.
  pattern = new RegExp(source, flags.replace(/[gy]/g, ''));
}

/** Where the pattern first matches, as [start, end] in UTF-16 units, or null. */
export function find(line: string): [start: number, end: number] | null {
  if (!pattern) throw new Error('there is no pattern to find; call compile first');
  const found = pattern.exec(line.length > line_length_max ? line.slice(0, line_length_max) : line);
  return found && [found.index, found.index + found[0].length];
}
