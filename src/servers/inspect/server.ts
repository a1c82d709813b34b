/**
 * The inspection server: answers `l3 ps` and `l3 top` over a private socket with what `takeSnapshot` reads. It lives in
 * the supervisor's event loop, which runs no code of others, and so answers while every other thread is blocked.
 *
 * Looking in is a help, not a service: when the socket cannot be made the system goes on without one, and says why
 * under NODE_DEBUG=l3kernel.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { debuglog } from 'node:util';
import { threadId } from 'node:worker_threads';
import { type Snapshot, takeSnapshot } from '../../inspect/snapshot.ts';
import { addressOf, closeToOthers, makeDirectory, removeAddress } from './address.ts';
import { type Inspection, REQUEST, REQUEST_BYTES_MAX } from './api.ts';

const debug = debuglog('l3kernel');

export interface InspectionOptions {
  /** Name of the system: the file name of its main script, without the extension. */
  readonly name: string;
  /** Name of a task's method, '' when it is not known. */
  readonly methodName?: (task: number, method: number) => string;
}

/** An open socket. */
export interface OpenInspection {
  /** Null when it could not be opened. */
  readonly path: string | null;
  /** Closes the socket and its connections, and removes its file. */
  close(): void;
}

/** Opens the socket of this agent's system. It does not keep the event loop alive. */
export function openInspection(options: InspectionOptions): OpenInspection {
  const path = addressOf(process.pid, threadId);
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    serve(socket, options);
  });
  server.on('error', (error) => debug('no inspection: %s', error.message));
  try {
    listen(server, path);
  } catch (error) {
    debug('no inspection: %s', (error as Error).message);
    server.close();
    return { path: null, close: () => {} };
  }
  const close = (): void => {
    for (const socket of connections) socket.destroy();
    // Node removes the file with the handle.
    server.close();
  };
  return { path, close };
}

function listen(server: Server, path: string): void {
  makeDirectory();
  // The name is ours: what has it is left over from a process that had our id.
  removeAddress(path);
  server.listen(path);
  // A path is bound when `listen` returns, or will never be: the error comes later, as an event.
  if (!server.listening) throw new Error(`${path} cannot be listened at`);
  closeToOthers(path);
  server.unref();
}

/** Answers each line of a connection. Who sends anything else than requests is cut off. */
function serve(socket: Socket, options: InspectionOptions): void {
  let text = '';
  socket.unref();
  socket.setEncoding('latin1');
  // Whoever asked has gone: nothing to do.
  socket.on('error', () => {});
  socket.on('data', (more: string) => {
    text += more;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const request = text.slice(0, end);
      text = text.slice(end + 1);
      if (request !== REQUEST) {
        socket.end(`${JSON.stringify({ error: 'there is no such request' })}\n`);
        return;
      }
      socket.write(`${JSON.stringify(inspection(options))}\n`);
    }
    if (text.length > REQUEST_BYTES_MAX) socket.destroy();
  });
}

function inspection({ name, methodName }: InspectionOptions): Inspection {
  const snapshot = takeSnapshot();
  return {
    system: { name, pid: process.pid, node: process.version },
    ...snapshot,
    methods: methodName === undefined ? {} : namesOfMethods(snapshot, methodName),
  };
}

function namesOfMethods(
  { threads }: Snapshot,
  methodName: (task: number, method: number) => string,
): Record<number, string> {
  const taskOf = new Map(threads.map(({ id, task }) => [id, task]));
  const names: Record<number, string> = {};
  for (const { id, partner, method } of threads) {
    const task = partner === null ? undefined : taskOf.get(partner);
    const name = task === undefined || method === null ? '' : methodName(task, method);
    if (name !== '') names[id] = name;
  }
  return names;
}
