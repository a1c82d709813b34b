/**
 * The inspection server: answers `l3 ps` and `l3 top` over a private socket with what `takeSnapshot` reads. It lives in
 * the supervisor's event loop, which runs no code of others, and so answers while every other thread is blocked.
 *
 * Looking in is a help, not a service: when the socket cannot be made the system goes on without one, and says why
 * under NODE_DEBUG=l3kernel.
 */
import type { Server, Socket } from 'node:net';
import { debuglog } from 'node:util';
import { threadId } from 'node:worker_threads';
import { type Snapshot, takeSnapshot } from '../../inspect/snapshot.ts';
import { METHOD_DESCRIBE, METHOD_HOST, METHOD_STEP } from '../../rpc/serve.ts';
import { addressOf, closeToOthers, makeDirectory, removeAddress } from './address.ts';
import { type Inspection, REQUEST, REQUEST_BYTES_MAX } from './protocol.ts';

const debug = debuglog('l3kernel');

/**
 * Name of a method: of the exports of a task, or, from METHOD_HOST on, of the functions that the task was granted.
 * Undefined when it is not known.
 */
type MethodName = (task: number, method: number) => string | undefined;

export interface InspectionOptions {
  /** Name of the system: the file name of its main script, without the extension. */
  readonly name: string;
  readonly methodName?: MethodName;
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
  // Not at the top: the supervisor loads this file while the program waits for its first answer.
  const { createServer } = process.getBuiltinModule('node:net');
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

/** Methods that every task has. */
const OURS: Readonly<Record<number, string>> = { [METHOD_DESCRIBE]: 'exports', [METHOD_STEP]: 'next' };

function namesOfMethods({ threads }: Snapshot, methodName: MethodName): Record<number, string> {
  const taskOf = new Map(threads.map(({ id, task }) => [id, task]));
  const names: Record<number, string> = {};
  for (const { id, task, partner, method } of threads) {
    const callee = partner === null ? undefined : taskOf.get(partner);
    if (callee === undefined || method === null) continue;
    const name = OURS[method] ?? methodName(method >= METHOD_HOST ? task : callee, method);
    if (name !== undefined) names[id] = name;
  }
  return names;
}
