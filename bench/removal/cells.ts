/**
 * What is measured of each variant: a low-level call with so many bytes each way, on two cores and on one. The rows
 * have floors of their own, so that variants measured minutes apart can be compared.
 */
import type { Row } from '../pingpong/rows.ts';

const UNIT = 'ns per round trip';

/** Up to here a message goes in words. */
export const WORDS_BYTES_MAX = 128;

const worker = (size: number): Row => ({
  name: `worker.${size}`,
  group: 'removal',
  unit: UNIT,
  floor: 'floor.cacheline',
  method: `Low-level call between two agents, ${size} bytes each way, in ${size <= WORDS_BYTES_MAX ? 'words' : 'a string'}.`,
  size,
});

const local = (size: number): Row => ({
  name: `local.${size}`,
  group: 'removal',
  unit: UNIT,
  floor: 'two generator switches',
  method: `Low-level call between two generator threads, ${size} bytes each way in words.`,
  size,
});

export const CELLS: readonly Row[] = [
  ...[8, 32, 128, 512, 4096].map(worker),
  ...[8, 32, 128].map(local),
  { ...local(8), name: 'local.timeout', method: 'As local.8, with a receive timeout of a second in each call.' },
];
