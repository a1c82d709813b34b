/** The far side of the typed rows with bytes. */
import { move } from '../../src/index.ts';
import { readEveryLine } from '../floors/bytes.ts';

let own = new Uint8Array(0);
let sink = 0;

function linesOf(bytes: Uint8Array): void {
  sink ^= readEveryLine(new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2));
}

/** Reads what came, answers with as many bytes of its own. */
export function exchange(bytes: Uint8Array): Uint8Array {
  linesOf(bytes);
  if (own.length !== bytes.length) own = new Uint8Array(bytes.length).fill(9);
  return own;
}

/** Reads what came and gives the same buffer back. */
export function pass(bytes: Uint8Array): Uint8Array {
  linesOf(bytes);
  return move(bytes);
}

/** Keeps the compiler from dropping the loads. */
export function seen(): number {
  return sink;
}
