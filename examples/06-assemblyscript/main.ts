/** A speller that was written in AssemblyScript, called with strings. It sees its own memory and nothing else. */
import { boot } from 'l3kernel';

interface Spell {
  learn(words: string): number;
  distance(a: string, b: string): number;
  suggest(word: string, most: number): string;
}

const system = await boot();
const url = new URL('./spell.wasm', import.meta.url);
const spell = await system.spawn<Spell>(url, { memory: { pages: 16 }, restart: 'on-failure' });

console.log('known:', spell.sync.learn('kernel message window thread task Thread clan chief naïve straße'));
console.log('distance:', spell.sync.distance('kernel', 'kenrel'), spell.sync.distance('Liedtke', 'Lidke'));
for (const typed of ['kenrel', 'thraed', 'taks', 'naive', 'xyz']) {
  console.log(`${typed}:`, spell.sync.suggest(typed, 2));
}

// A call is a call, also when there are many, and what each has left behind is collected.
let nearest = 0;
for (let i = 0; i < 10_000; i++) if (spell.sync.suggest('mesage', 1) === 'message') nearest++;
console.log('the same answer every time:', nearest);

// It keeps what it is told, in 1 MiB and no more. More than that is its end, and a new one begins with nothing.
try {
  for (let i = 0; ; i++) spell.sync.learn(`${i}${'x'.repeat(1000)}`);
} catch (error) {
  console.log('full:', (error as { code?: string }).code);
}
console.log('known:', spell.sync.learn('kernel'));

await system.shutdown();
