/**
 * Two tasks in linear memories of their own: strings in and out, a function granted to one, a call from the other to
 * it, and what becomes of a task that traps or that reaches for what is not its own.
 */
import { boot } from 'l3kernel';

interface Text {
  add(a: number, b: number): number;
  divide(a: number, b: number): number;
  shout(text: string): string;
  steal(): void;
}

interface Average {
  average(a: number, b: number): number;
}

const messageOf = (error: unknown): string => (error as Error).message;
const failureOf = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    return messageOf(error);
  }
};

const system = await boot();
const file = (name: string): URL => new URL(name, import.meta.url);
const host = { log: (text: string) => console.log('log:', text) };
const text = await system.spawn<Text>(file('./text.wasm'), { host, memory: { pages: 1 }, restart: 'on-failure' });
console.log('kind:', text.kind);
console.log('add:', text.sync.add(1.5, 2));
console.log('shout:', text.sync.shout('hello from another memory'));

// The second task gets the first as a capability: the functions it names are linked, one task calls the other directly.
const average = await system.spawn<Average>(file('./average.wasm'), { imports: { text } });
console.log('average:', average.sync.average(3, 4));

// A trap ends the task, not the program; `restart` puts a new instance behind the same stub.
console.log(
  'divide:',
  failureOf(() => text.sync.divide(1, 0)),
);
console.log(
  'steal:',
  failureOf(() => text.sync.steal()),
);
console.log('average:', average.sync.average(5, 6));

// Whatever a module wants and was not granted is named before any of its code runs.
console.log('refused:', await system.spawn(file('./average.wasm')).catch(messageOf));

await system.shutdown();
