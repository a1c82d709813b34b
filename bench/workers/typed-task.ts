/** The far side of the typed rows: an ordinary module, whose exports are its interface. */
import { tenRecords } from './records.ts';
import type { SearchRecord } from './records.ts';

export function add(left: number, right: number): number {
  return left + right;
}

export function echo(text: string): string {
  return text;
}

const records = tenRecords();

export function search(): SearchRecord[] {
  return records;
}

export function apply(callback: (value: number) => number, value: number): number {
  return callback(value);
}
