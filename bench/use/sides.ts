/** The two ways in which a row's program reaches the other agent: a task and its stub, a worker and `postMessage`. */
import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { boot } from '../../src/index.ts';
import { moduleUrl } from '../harness/files.ts';
import { addTo, histogram } from '../harness/histogram.ts';

type TypedTask = typeof import('../workers/typed-task.ts');
type ClientTask = typeof import('../workers/use-client.ts');

/** Gives the sum, at once where the call blocks. */
export type Call = (left: number, right: number) => number | Promise<number>;

export interface Side {
  /** A call as the program makes it, and one that never blocks. */
  readonly call: Call;
  readonly callAsync: (left: number, right: number) => Promise<number>;
  /** Starts client agents, of one server or of one each. */
  openClients(clients: number, servers: number): Promise<Clients>;
}

/** Has all clients make one call after another, for so long; gives their times in one histogram. */
export type Clients = (duration_ms: number) => Promise<Float64Array>;

async function sumOf(all: readonly Promise<ArrayLike<number>>[]): Promise<Float64Array> {
  const sum = histogram();
  for (const counts of await Promise.all(all)) addTo(sum, counts);
  return sum;
}

export async function openL3kernel(): Promise<Side> {
  const system = await boot();
  const serverUrl = moduleUrl('workers/typed-task.ts');
  const task = await system.spawn<TypedTask>(serverUrl);
  return {
    call: task.sync.add,
    callAsync: task.async.add,
    async openClients(clients, servers) {
      for (let server = 0; server < servers; server++) {
        await system.spawn<TypedTask>(serverUrl, { name: `server-${server}` });
      }
      const url = moduleUrl('workers/use-client.ts');
      const tasks = await Promise.all(Array.from({ length: clients }, () => system.spawn<ClientTask>(url)));
      return (duration_ms) =>
        sumOf(tasks.map((client, index) => client.async.run(`server-${index % servers}`, duration_ms)));
    },
  };
}

/** One request at a time has the usual form; more of them at once are told apart by their numbers. */
export function openRival(): Side {
  const worker = new Worker(moduleUrl('workers/post-server.ts'));
  const waiting = new Map<number, (sum: number) => void>();
  let last = 0;
  worker.on('message', ([id, sum]: [number, number]) => {
    waiting.get(id)?.(sum);
    waiting.delete(id);
  });
  const call = (left: number, right: number): Promise<number> =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      worker.postMessage([last, left, right]);
    });
  return {
    call,
    callAsync: call,
    openClients(clients, servers) {
      const serverWorkers = Array.from({ length: servers }, () => new Worker(moduleUrl('workers/post-server.ts')));
      const clientWorkers = Array.from({ length: clients }, (_, index) => {
        const client = new Worker(moduleUrl('workers/post-client.ts'));
        const { port1, port2 } = new MessageChannel();
        serverWorkers[index % servers]!.postMessage(port1, [port1]);
        client.postMessage(port2, [port2]);
        return client;
      });
      return Promise.resolve((duration_ms) =>
        sumOf(
          clientWorkers.map(async (client) => {
            client.postMessage(duration_ms);
            return ((await once(client, 'message')) as [Float64Array])[0];
          }),
        ),
      );
    },
  };
}
