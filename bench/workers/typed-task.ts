/** The far side of the typed rows: an ordinary module, whose exports are its interface. */
import { readEveryLine } from '../floors/bytes.ts';
import { tenRecords } from './records.ts';

export function add(left: number, right: number): number {
  return left + right;
}

export function echo(text: string): string {
  return text;
}

const records = tenRecords();

export function search(): ReturnType<typeof tenRecords> {
  return records;
}

export function apply(callback: (value: number) => number, value: number): number {
  return callback(value);
}

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
