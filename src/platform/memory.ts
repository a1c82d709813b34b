/**
 * Kernel memory of this agent's system: one shared buffer, found in this order: the one another copy of this package in
 * the same agent already uses; the one the parent handed over; that of the process's system; a new one.
 *
 * The buffer is a shared WebAssembly memory and not a SharedArrayBuffer of our own: its first byte lies on a page, so
 * that a cache line of the layout is a cache line of the machine, and pages are committed only as they are touched.
 */
import './node-version.ts';
import { workerData } from 'node:worker_threads';
import { MEMORY_BYTES } from '../layout/params.ts';
import { house } from './house.ts';

const KEY = Symbol.for('l3kernel.memory');
export const PAGES: number = MEMORY_BYTES >>> 16;

function findMemory(): WebAssembly.Memory {
  const agent = globalThis as { [KEY]?: WebAssembly.Memory };
  const parent = workerData as { l3kernel?: { memory?: WebAssembly.Memory } } | null | undefined;
  agent[KEY] ??= parent?.l3kernel?.memory ?? house?.memory ?? makeMemory();
  return agent[KEY];
}

/** Grown to its size, for V8 takes 5 to 15 ms to make a memory that begins with so many pages. */
function makeMemory(): WebAssembly.Memory {
  const made = new WebAssembly.Memory({ initial: 1, maximum: PAGES, shared: true });
  made.grow(PAGES - 1);
  return made;
}

/** What is handed to a worker, as `workerData.l3kernel.memory`. */
export const memory: WebAssembly.Memory = findMemory();
const buffer = memory.buffer as unknown as SharedArrayBuffer;
/** The views of the one buffer. The kernel reaches them through #atomics only. */
export const words: Int32Array<SharedArrayBuffer> = new Int32Array(buffer);
export const bytes: Uint8Array<SharedArrayBuffer> = new Uint8Array(buffer);
