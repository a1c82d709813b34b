/** The side that asks: another process of the same user, which looks for systems and their snapshots. */
import { statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type Address, listAddresses, removeAddress } from './address.ts';
import { type Inspection, REQUEST } from './protocol.ts';

/** A supervisor runs no code but its own: who does not answer within this time is stopped or suspended. */
const ANSWER_ms = 3000;
/** A socket file is there shortly before anybody listens at it; one that is older and refuses is left over. */
const LISTEN_ms = 2000;

/** A system that answers. */
export interface Inspected {
  readonly pid: number;
  /** What it answered when it was found. */
  readonly first: Inspection;
  /** The system as it is now. Rejects when it has ended. One request at a time. */
  ask(): Promise<Inspection>;
  close(): void;
}

/** The systems of this user. */
export interface Found {
  readonly systems: readonly Inspected[];
  /** Processes whose socket takes the connection and which do not answer: stopped, or suspended. */
  readonly silent: readonly number[];
}

/** Connects to every system of this user. */
export async function findSystems(): Promise<Found> {
  const systems: Inspected[] = [];
  const silent: number[] = [];
  const connectTo = async (address: Address): Promise<void> => {
    const answer = await connectAt(address);
    if (answer === 'silent') silent.push(address.pid);
    else if (answer !== null) systems.push(answer);
  };
  await Promise.all(listAddresses().map(connectTo));
  return { systems: systems.sort((a, b) => a.pid - b.pid), silent };
}

async function connectAt({ path, pid }: Address): Promise<Inspected | 'silent' | null> {
  const socket = connect(path);
  const lines = new LineReader(socket);
  const ask = async (): Promise<Inspection> => {
    socket.write(`${REQUEST}\n`);
    return JSON.parse(await lines.next()) as Inspection;
  };
  try {
    return { pid, first: await ask(), ask, close: () => socket.destroy() };
  } catch (error) {
    socket.destroy();
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED' && isLeftOver(path)) removeAddress(path);
    return error instanceof Silence ? 'silent' : null;
  }
}

class Silence extends Error {}

function isLeftOver(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.ctimeMs > LISTEN_ms;
}

/** The lines that come from a socket, one for each `next`. */
class LineReader {
  private readonly socket: Socket;
  private text = '';
  private failure: Error | null = null;
  private resolve: ((line: string) => void) | null = null;
  private reject: ((error: Error) => void) | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      this.text += text;
      this.deliver();
    });
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the system has ended')));
  }

  /** The next line. Rejects when the socket is closed or silent. */
  next(): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.fail(new Silence(`no answer within ${ANSWER_ms} ms`)), ANSWER_ms);
      this.resolve = (line) => {
        clearTimeout(timer);
        resolve(line);
      };
      this.reject = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      if (this.failure === null) this.deliver();
      else this.reject(this.failure);
    });
  }

  private deliver(): void {
    const end = this.text.indexOf('\n');
    if (end < 0 || this.resolve === null) return;
    const line = this.text.slice(0, end);
    this.text = this.text.slice(end + 1);
    this.resolve(line);
    this.resolve = null;
    this.reject = null;
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.socket.destroy();
    this.reject?.(this.failure);
    this.resolve = null;
    this.reject = null;
  }
}
