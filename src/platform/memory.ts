/**
 * Kernel memory of this agent's system: one shared buffer, found in this order: the one another copy of this package in
 * the same agent already uses; the one the parent handed over; a new one.
 *
 * The buffer is a shared WebAssembly memory and not a SharedArrayBuffer of our own: its first byte lies on a page, so
 * that a cache line of the layout is a cache line of the machine, and pages are committed only as they are touched.
 */
import { workerData } from 'node:worker_threads';
import { MEMORY_BYTES } from '../layout/params.ts';

const KEY = Symbol.for('l3kernel.memory');

function findMemory(): SharedArrayBuffer {
  const agent = globalThis as { [KEY]?: SharedArrayBuffer };
  const parent = workerData as { l3kernel?: { memory?: SharedArrayBuffer } } | null | undefined;
  agent[KEY] ??= parent?.l3kernel?.memory ?? reserve();
  return agent[KEY];
}

function reserve(): SharedArrayBuffer {
  const pages = MEMORY_BYTES >>> 16;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return memory.buffer as unknown as SharedArrayBuffer;
}

export const memory: SharedArrayBuffer = findMemory();
/** The three views of the one buffer. The kernel reaches them through #atomics only. */
export const words: Int32Array<SharedArrayBuffer> = new Int32Array(memory);
export const bytes: Uint8Array<SharedArrayBuffer> = new Uint8Array(memory);
