/** Modules from their text form: each becomes a `data:` url that can be spawned. */
import wabt from 'wabt';

const { parseWat } = await wabt();

/** The bytes of a module written as text. */
export function wasm(text: string): Uint8Array {
  const parsed = parseWat('text.wat', text, { exceptions: true, memory64: true, threads: true });
  try {
    return parsed.toBinary({}).buffer;
  } finally {
    parsed.destroy();
  }
}

export const urlOf = (bytes: Uint8Array): URL =>
  new URL(`data:application/wasm;base64,${Buffer.from(bytes).toString('base64')}`);

/** Url of a module written as text. */
export const wat = (text: string): URL => urlOf(wasm(text));
