/**
 * The module of the task behind a `RelayedChild`: has the child, and keeps its events until they are asked for.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Event, Options } from './child.ts';

type Relayed = Event | { type: 'error'; error: unknown };

let child: ChildProcessWithoutNullStreams;
const events: Relayed[] = [];
let waiting: ((event: Relayed) => void) | null = null;

function put(event: Relayed): void {
  if (waiting === null) {
    events.push(event);
    return;
  }
  waiting(event);
  waiting = null;
}

export function open(command: string, args: readonly string[], options: Options | undefined): void {
  child = spawn(command, args, { ...(options as object), stdio: 'pipe' });
  child.stdout.on('data', (data: Buffer) => put({ type: 'stdout', data }));
  child.stderr.on('data', (data: Buffer) => put({ type: 'stderr', data }));
  child.stdin.on('error', (error) => put({ type: 'error', error }));
  child.on('error', (error) => {
    put({ type: 'error', error });
    put({ type: 'exit' });
  });
  // Once its pipes are read to the end.
  child.on('close', (code, signal) => {
    if (child.pid === undefined) return;
    put(signal === null ? { type: 'exit', code: code! } : { type: 'exit', signal });
  });
}

export function next(): Relayed | Promise<Relayed> {
  const event = events.shift();
  return event ?? new Promise((resolve) => (waiting = resolve));
}

export const write = (bytes: Uint8Array): void => void child.stdin.write(bytes);
export const endInput = (): void => void child.stdin.end();
export const kill = (signal?: NodeJS.Signals | number): void => void child.kill(signal);
