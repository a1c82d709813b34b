/**
 * Streams out of a worker and into one: a loop over a generator that runs beside its consumer, and a web stream that a
 * task consumes.
 */
import { ReadableStream, TransformStream } from 'node:stream/web';
import { boot } from 'l3kernel';

const system = await boot();
const t = await system.spawn<typeof import('./words.ts')>(new URL('./words.ts', import.meta.url));
const text = 'the consumer holds the generator up by not asking';

// Each step is one call. Leaving the loop ends the generator: its `finally` has run when the loop is over.
for (const word of t.sync.words(text)) {
  console.log(word);
  if (word === 'holds') break;
}
console.log(t.sync.counts());

// The event loop stays free; up to four words a call.
const long: string[] = [];
for await (const word of t.with({ batch: 4 }).async.words(text)) if (word.length > 3) long.push(word);
console.log(long.join(' '));

// As a web stream.
const upper = new TransformStream<string, string>({
  transform: (word, controller) => controller.enqueue(word.toUpperCase()),
});
for await (const word of ReadableStream.from(t.async.words('out of a worker')).pipeThrough(upper)) console.log(word);

// And a web stream into the worker, a chunk when it wants one.
const reader = new Blob(['some ', 'chunks']).stream().pipeThrough(new TextDecoderStream()).getReader();
console.log(await t.async.load(async () => (await reader.read()).value));

await system.shutdown();
