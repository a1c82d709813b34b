/** A stranger's script. It runs in QuickJS and has `host`, `console` and the language. */
interface Item {
  readonly name: string;
  readonly price: number;
}

declare const host: { rateOf(name: string): Promise<number> };

export async function price(order: { items: Item[] }): Promise<number> {
  let sum = 0;
  for (const { name, price: each } of order.items) sum += each * (await host.rateOf(name));
  console.log(`priced ${order.items.length} items`);
  return sum;
}

export function loop(): never {
  for (;;);
}

export function eat(): never {
  const eaten: string[] = [];
  for (;;) eaten.push('x'.repeat(100_000) + eaten.length);
}

export const escape = (): string => ({}).constructor.constructor('return typeof process')() as string;

export function fail(): never {
  throw new RangeError('no such discount');
}
