/** What can be said in a call: values, callbacks, granted functions, errors, signals, moved bytes; all of it typed. */
import { boot, type IpcError, move } from 'l3kernel';
import type { Host, Item } from './shop.ts';

const rates: Record<string, number> = { AT: 0.2, CH: 0.081 };
const host: Host = {
  taxRate(country) {
    const rate = rates[country];
    if (rate === undefined) throw new RangeError(`'${country}' is not in the table`);
    return rate;
  },
};

const system = await boot({ timeout: 5000 });
const shop = await system.spawn<typeof import('./shop.ts')>(new URL('./shop.ts', import.meta.url), {
  host: { ...host },
});

const items: Item[] = [
  { name: 'tea', price: 4, added: new Date('2024-05-01') },
  { name: 'cup', price: 9, added: new Date('2024-05-02') },
];
console.log('value:', shop.sync.cheapest(items));
console.log(
  'generic:',
  shop.sync.index([
    ['a', 1],
    ['b', 2],
  ]),
);

const limit = 5;
console.log('callback:', shop.sync.filter(items, (item) => item.price > limit).length);
console.log('granted:', shop.sync.withTax(items[0]!, 'AT'));

// The task's own error arrives as itself: name, code, own properties, cause. Its class is not known here.
try {
  shop.sync.withTax(items[0]!, 'XX');
} catch (error) {
  const { name, message, code, country, cause } = error as RangeError & { code: string; country: string };
  console.log('error:', { name, message, code, country }, error instanceof RangeError, (cause as Error).message);
}

// A typo names what there is. TypeScript would have said so before; the cast keeps it quiet.
try {
  (shop.sync as unknown as { cheapset(): void }).cheapset();
} catch (error) {
  console.log('typo:', (error as IpcError).message);
}

// What cannot be copied is refused here, with its place.
try {
  shop.sync.cheapest([{ ...items[0]!, name: Symbol('tea') as unknown as string }]);
} catch (error) {
  console.log('refused:', (error as IpcError).message);
}

// A signal ends an asynchronous call here, and is seen in the task as `here.signal`.
const slow = shop.with({ signal: AbortSignal.timeout(50) }).async.wait(60_000);
console.log('signal:', await slow.catch((error: unknown) => (error as IpcError).code));

// Moved bytes are not copied; they are gone from here.
const bytes = new Uint8Array(1 << 20).fill(1);
console.log('moved:', await shop.async.sum(move(bytes)), 'left:', bytes.length);

await system.shutdown();
