/**
 * One server, three clients, each a task with a thread of its own. Then the server hangs, the caller's timeout ends the
 * call, and killing the server ends everything that still waits for it.
 */
import { boot } from 'l3kernel';

// What the system says has a code. So has an error that a client caught nowhere and that arrives from there.
const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code ?? error;

const system = await boot();
const file = (name: string): URL => new URL(name, import.meta.url);
const counter = await system.spawn<typeof import('./counter.ts')>(file('./counter.ts'), { name: 'counter' });
const clients = await Promise.all(
  [1, 2, 3].map((i) => system.spawn<typeof import('./client.ts')>(file('./client.ts'), { name: `client-${i}` })),
);
console.log(
  'tasks:',
  system.tasks().map(({ name }) => name),
);

// Their calls meet at the server, which takes those that must wait in the order in which they came.
console.log('last answers:', await Promise.all(clients.map((client) => client.async.work(1000))));
console.log('total:', counter.sync.total());

// The server hangs. `.sync` blocks this thread, but not for longer than its timeout.
try {
  counter.with({ timeout: 100 }).sync.hang();
} catch (error) {
  console.log('hang:', codeOf(error));
}

// It hangs still: a client's call waits for its turn until the server is killed, and is answered then.
const waiting = clients[0]!.async.work(1);
await counter.kill();
console.log('waiting client:', await waiting.catch(codeOf));
console.log('server:', await counter.exited);

await system.shutdown();
