/**
 * Says which Node is needed where an older one runs, instead of the first function that it lacks. Whatever needs the
 * newer Node when it is evaluated imports kernel memory, and that imports this first.
 */
const NEEDED = [22, 18] as const;

/** The sentence for a Node that is too old; null for one that will do. */
export function tooOld(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return null;
  return `l3kernel needs Node ${NEEDED.join('.')} or newer; this is Node ${version}`;
}

// Bun and Deno say which Node they stand for.
const complaint = tooOld(process.versions.node);
if (complaint !== null) throw new Error(complaint);
