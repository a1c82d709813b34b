/** The site on a socket: Node's http, and nothing that is about documents. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Site } from './site.ts';

export const host = '127.0.0.1';

/** A port that cannot be had; the message is for the user. */
export class PortError extends Error {
  override name = 'PortError';
}

export interface Web {
  port: number;
  /** From now on requests are answered; those that came before have waited. */
  serve(site: Site): void;
  close(): Promise<void>;
}

/**
 * Takes the port before any work is done, so that a port in use is told at once and not after the indexing. Port 0 is
 * any free one. Throws PortError.
 */
export async function takePort(port: number): Promise<Web> {
  let ready: (site: Site) => void = () => {};
  const site = new Promise<Site>((resolve) => (ready = resolve));
  const server = createServer((request, response) => {
    void site.then((known) => answer(known, request, response));
  });
  server.requestTimeout = 30_000;
  await listen(server, port);
  return {
    port: (server.address() as AddressInfo).port,
    serve: ready,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, host, resolve);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new PortError(`port ${port} on ${host} is in use; set PORT to another one (PORT=0 takes any that is free)`);
    }
    if (code === 'EACCES') throw new PortError(`port ${port} may not be used here; set PORT to another one`);
    throw error;
  }
}

async function answer(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { method = 'GET', url = '/' } = request;
    const { accept = '', 'sec-fetch-site': from, 'content-type': type } = request.headers;
    const { status, headers, body, stream } = await site.answer({
      ...{ method, url, accept },
      from: typeof from === 'string' ? from : undefined,
      type,
      read: (bytes_max) => bodyOf(request, bytes_max),
    });
    if (stream && method !== 'HEAD') {
      response.writeHead(status, headers);
      response.on(
        'close',
        stream((piece) => sendPiece(response, piece)),
      );
      return;
    }
    const bytes = Buffer.from(body);
    response.writeHead(status, { ...headers, 'content-length': bytes.length });
    response.end(method === 'HEAD' ? undefined : bytes);
  } catch {
    // The site answers its own errors; what remains is a client that went away while it was answered.
    response.destroy();
  }
}

/** The body as text, undefined when it is longer; what remains of it then is read and dropped. */
function bodyOf(request: IncomingMessage, bytes_max: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytes_max) return void chunks.push(chunk);
      chunks = [];
      resolve(undefined);
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the client went away')));
  });
}

/** A client that does not read what it asked for misses pieces; they are not kept for it. */
function sendPiece(response: ServerResponse, piece: string): void {
  if (response.writableLength < 2 ** 18) response.write(piece);
}
