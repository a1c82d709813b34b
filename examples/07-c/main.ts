/**
 * Two tasks that were written in C. One packs and unpacks bytes, also bytes that are no honest block; the other takes
 * its work from a task in another thread, by ipc from C.
 */
import { boot } from 'l3kernel';

interface Lz4 {
  pack(bytes: Uint8Array): Uint8Array;
  unpack(block: Uint8Array, most: number): Uint8Array;
  error(): string;
}

interface Factor {
  work(): number;
}

const system = await boot();
const file = (name: string): URL => new URL(name, import.meta.url);

// Bytes in, bytes out, each copied once into the task's memory and once out of it.
const lz4 = await system.spawn<Lz4>(file('./lz4.wasm'), { memory: { pages: 64 } });
const source = Buffer.from('to be, or not to be: that is the question. '.repeat(500));
const block = lz4.sync.pack(source);
console.log('packed:', source.length, 'to', block.length);
console.log('the same again:', source.equals(lz4.sync.unpack(block, source.length)));

// What is no block is refused with a reason, and the task goes on.
for (const bytes of [block.subarray(0, 40), Uint8Array.of(0x04, 0xff, 0xff), Uint8Array.of(0xf0)]) {
  console.log('refused:', lz4.sync.unpack(bytes, source.length).length, lz4.sync.error());
}
console.log('refused:', lz4.sync.unpack(block, 1000).length, lz4.sync.error());

// A server's loop in C: it asks a worker for requests and gives it the answers. `jobs` is all that it can call.
const jobs = await system.spawn<typeof import('./jobs.ts')>(file('./jobs.ts'));
const factor = await system.spawn<Factor>(file('./factor.wasm'), { imports: { jobs } });
console.log('served:', factor.sync.work());
console.log(jobs.sync.all());

// Without anybody to ask its calls fail, and it says with which status.
const idle = await system.spawn<Factor>(file('./factor.wasm'));
console.log('status without jobs:', -idle.sync.work());

await system.shutdown();
