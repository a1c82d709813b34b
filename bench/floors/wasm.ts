/**
 * What a call from one address space to another costs with no kernel between: an import call into an empty function,
 * and one call of an export. And what the bytes cost: the one instruction that copies from memory to memory.
 */
import { readFileSync } from 'node:fs';
import { makeCopier } from '../../src/tasks/wasm/copier.ts';
import { makeSpace } from '../../src/tasks/wasm/space.ts';
import { sourceUrl } from '../harness/files.ts';
import { timed, timedAsync } from '../harness/interleave.ts';
import type { Side } from '../harness/interleave.ts';

type Loop = (count: number) => number;

const compile = (name: string): WebAssembly.Module =>
  new WebAssembly.Module(new Uint8Array(readFileSync(sourceUrl(`workers/${name}.wasm`))));

const caller = compile('wasm-caller');
const callee = compile('wasm-callee');

/** Both halves, the import with as many parameters as the subject has. */
export function wasmFloor(words: 2 | 6): Side {
  const empty = {
    add: (_a: number, _b: number) => 0,
    six: (_a: number, _b: number, _c: number, _d: number, _e: number, _f: number) => 0,
    take__b: () => {},
  };
  const loops = new WebAssembly.Instance(caller, { callee: empty }).exports;
  const loop = loops[words === 2 ? 'add' : 'six'] as Loop;
  const nothing = new WebAssembly.Instance(callee).exports['nothing'] as () => void;
  return timed((count) => {
    loop(count);
    for (let round = 0; round < count; round++) nothing();
  });
}

/** A bare `memory.copy` of so many bytes between two memories of the same size as the subject's. */
export function copyFloor(size: number): Side {
  const memories = [0, 1].map(() => {
    const space = makeSpace();
    space.memory = new WebAssembly.Memory({ initial: 8 });
    return space;
  });
  const copy = makeCopier(memories[0]!, memories[1]!);
  if (copy === null) throw new Error('this host has no multi-memory');
  return timed((count) => {
    for (let round = 0; round < count; round++) copy(1024, 1024, size);
  });
}

/** What JSPI adds to `WebAssembly`. */
interface WithStacks {
  readonly promising: (f: unknown) => (count: number) => Promise<number>;
  readonly Suspending: new (f: (value: number) => Promise<number>) => (value: number) => number;
}

/** A stack suspended and resumed with no kernel between. */
export function suspendFloor(): Side {
  const { promising, Suspending } = WebAssembly as unknown as WithStacks;
  const wait = new Suspending(async (value) => value);
  const run = promising(new WebAssembly.Instance(compile('wasm-jspi'), { host: { wait } }).exports['run']);
  return timedAsync(async (count) => void (await run(count)));
}

/** The same loop over a plain import. */
export function importFloor(): Side {
  const wait = (value: number): number => value;
  const run = new WebAssembly.Instance(compile('wasm-jspi'), { host: { wait } }).exports['run'] as Loop;
  return timed((count) => void run(count));
}

/** Bytes of resident memory that each of so many bare instances adds. */
export function residentFloor(count: number): number {
  return residentOf(count, () => new WebAssembly.Instance(callee));
}

/** Bytes of resident memory that each of so many things adds. They are kept until all are made. */
export function residentOf(count: number, make: () => unknown): number {
  const kept: unknown[] = [];
  const before = process.memoryUsage.rss();
  while (kept.length < count) kept.push(make());
  return (process.memoryUsage.rss() - before) / kept.length;
}

/** A bare instance of the callee's module. */
export function instanceFloor(): Side {
  return timed((count) => {
    for (let round = 0; round < count; round++) void new WebAssembly.Instance(callee);
  });
}
