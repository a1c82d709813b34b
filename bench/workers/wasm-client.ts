/** The other agent of the wasm rows: it is called by a wasm task, and calls one. */
import { lookup } from '../../src/index.ts';

export function add(left: number, right: number): number {
  return left + right;
}

export const six = (...numbers: number[]): number => numbers.reduce((sum, number) => sum + number, 0);

export const take = (_bytes: Uint8Array): void => {};

export function callWasm(name: string, count: number): number {
  const task = lookup<{ add(left: number, right: number): number }>(name);
  let sum = 0;
  for (let round = 0; round < count; round++) sum = task.sync.add(sum, 2);
  return sum;
}
