/**
 * A stranger's JavaScript with one function of ours: what it can do, what it cannot, and what becomes of a script that
 * loops, eats memory, or asks for what it was not given.
 */
import { boot } from 'l3kernel';

interface Discount {
  price(order: { items: { name: string; price: number }[] }): Promise<number>;
  loop(): never;
  eat(): never;
  escape(): string;
  fail(): never;
}

const failureOf = (run: () => unknown): string => {
  try {
    return String(run());
  } catch (error) {
    return `${(error as { code?: string }).code ?? (error as Error).name}: ${(error as Error).message}`;
  }
};

const system = await boot();
const rates: Record<string, number> = { books: 0.5 };
const discount = await system.spawn<Discount>(new URL('./discount.ts', import.meta.url), {
  engine: 'quickjs',
  memory: { mb: 8 },
  timeout: 5000,
  // The one thing of this program that the script can reach. It is asynchronous: the script awaits it.
  host: { rateOf: async (name: string) => rates[name] ?? 1 },
});

const order = {
  items: [
    { name: 'books', price: 30 },
    { name: 'tea', price: 5 },
  ],
};
console.log('price:', await discount.async.price(order));
console.log('escape:', discount.sync.escape());
console.log(
  'loop:',
  failureOf(() => discount.with({ timeout: 50 }).sync.loop()),
);
console.log(
  'eat:',
  failureOf(() => discount.sync.eat()),
);

// An error of the script's is itself, with the script's own lines.
try {
  discount.sync.fail();
} catch (error) {
  console.log('fail:', (error as Error).stack!.split('\n').slice(0, 2).join(''));
}

// It lives on, in the state that it was in.
console.log('price:', await discount.async.price(order));

// What a module imports is granted or refused before any of it runs.
const wants = 'data:text/javascript,import fs from "node:fs"';
console.log('refused:', await system.spawn(wants, { engine: 'quickjs' }).catch((error: Error) => error.message));

await system.shutdown();
