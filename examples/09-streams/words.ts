/** A task with a generator function: its callers get an iterator. */

let made = 0;
let ended = 0;

/** The words of a text, one when it is asked for. */
export function* words(text: string): Generator<string> {
  try {
    for (const [word] of text.matchAll(/\w+/g)) {
      made++;
      yield word;
    }
  } finally {
    ended++;
  }
}

export const counts = (): { made: number; ended: number } => ({ made, ended });

/** A stream of the caller's, a chunk at a time, by a callback. */
export async function load(read: () => string | undefined): Promise<number> {
  let length = 0;
  for (let chunk = read(); chunk !== undefined; chunk = read()) length += chunk.length;
  return length;
}
