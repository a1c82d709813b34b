/**
 * Whether the stack has room. A module can use the stack up to the last byte and then call what it was granted: the
 * function would be interrupted anywhere in its middle, be it the spawner's or the kernel's own. JavaScript cannot ask
 * how much is left; but a wasm function whose frame is large fails to be entered where it does not fit, before it does
 * anything. This one's frame is 80 KiB, for it would keep so many numbers alive over a call if it came to that. It
 * returns at once: to ask costs a call.
 */

const VALUES = 10_000;

let enter: ((really: number) => number) | null = null;

/** Throws the agent's stack overflow unless a call has room for what it may reasonably do. */
export function needRoom(): void {
  enter ??= makeLargeFrame();
  enter(0);
}

function makeLargeFrame(): (really: number) => number {
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    // Types () -> () and (i32) -> f64; the import m.f of the first; one function of the second; a memory; export "f".
    ...section(1, [2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7c]),
    ...section(2, [1, 1, 0x6d, 1, 0x66, 0, 0]),
    ...section(3, [1, 1]),
    ...section(5, [1, 0, 2]),
    ...section(7, [1, 1, 0x66, 0, 1]),
    ...section(10, [1, ...sized(largeFrame())]),
  ]);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: { f: () => {} } });
  return instance.exports['f'] as (really: number) => number;
}

/**
 * if (!really) return 0; load 10,000 numbers; call f; return their sum: none of them can be forgotten over the call.
 */
function largeFrame(): number[] {
  const body = [0, 0x20, 0, 0x45, 0x04, 0x40, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0f, 0x0b];
  for (let i = 0; i < VALUES; i++) body.push(0x20, 0, 0x2b, 3, ...number(i * 8));
  body.push(0x10, 0);
  for (let i = 1; i < VALUES; i++) body.push(0xa0);
  body.push(0x0b);
  return body;
}

const section = (id: number, content: readonly number[]): number[] => [id, ...sized(content)];
const sized = (content: readonly number[]): number[] => [...number(content.length), ...content];

/** Unsigned LEB128. */
function number(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  bytes.push(value);
  return bytes;
}
