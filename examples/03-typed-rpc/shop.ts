/** An ordinary module: nothing in it says that it runs as a task, but for the functions it is granted. */
import { here } from 'l3kernel';

export interface Item {
  name: string;
  price: number;
  added: Date;
}

/** What the spawner grants this task; the type of its `host` option. */
export interface Host {
  taxRate(country: string): number;
}

export class UnknownCountry extends RangeError {
  code = 'E_COUNTRY';
  country: string;
  constructor(country: string, cause: unknown) {
    super(`no tax rate for ${country}`, { cause });
    this.name = 'UnknownCountry';
    this.country = country;
  }
}

/** Objects travel as structuredClone would copy them: dates, maps, cycles and typed arrays survive. */
export function cheapest(items: readonly Item[]): Item | undefined {
  return items.toSorted((a, b) => a.price - b.price)[0];
}

/** A generic function stays generic for its caller. */
export function index<K extends string, V>(entries: readonly (readonly [K, V])[]): Map<K, V> {
  return new Map(entries);
}

/** A callback is called on the thread that waits for this function. */
export function filter(items: readonly Item[], keep: (item: Item) => boolean): Item[] {
  return items.filter((item) => keep(item));
}

/** Asks the spawner, by a function it has granted. */
export function withTax(item: Item, country: string): number {
  const host = here.host as { sync: Host };
  try {
    return item.price * (1 + host.sync.taxRate(country));
  } catch (error) {
    throw new UnknownCountry(country, error);
  }
}

/** An asynchronous function: other requests are served meanwhile. */
export async function wait(delay_ms: number): Promise<string> {
  const { signal } = here;
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, delay_ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
  return 'done';
}

/** The sum of all bytes. */
export function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0);
}
