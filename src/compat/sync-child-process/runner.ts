/**
 * The module of the task behind `RelayedChild`: has the children, and keeps the events of each until they are asked
 * for.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Event, Options } from './child.ts';

type Relayed = Event | { type: 'error'; error: unknown };

interface Kept {
  readonly child: ChildProcessWithoutNullStreams;
  readonly events: Relayed[];
  waiting: ((event: Relayed) => void) | null;
}

/** By the number that the host gave; until the exit has been told. */
const children = new Map<number, Kept>();

function put(kept: Kept, event: Relayed): void {
  const { waiting } = kept;
  kept.waiting = null;
  if (waiting === null) kept.events.push(event);
  else waiting(event);
}

export function open(number: number, command: string, args: readonly string[], options: Options | undefined): void {
  const child = spawn(command, args, { ...(options as object), stdio: 'pipe' });
  const kept: Kept = { child, events: [], waiting: null };
  children.set(number, kept);
  child.stdout.on('data', (data: Buffer) => put(kept, { type: 'stdout', data }));
  child.stderr.on('data', (data: Buffer) => put(kept, { type: 'stderr', data }));
  child.stdin.on('error', (error) => put(kept, { type: 'error', error }));
  child.on('error', (error) => {
    put(kept, { type: 'error', error });
    if (child.pid === undefined) put(kept, { type: 'exit' });
  });
  // Once its pipes are read to the end.
  child.on('close', (code, signal) => {
    if (child.pid === undefined) return;
    put(kept, signal === null ? { type: 'exit', code: code! } : { type: 'exit', signal });
  });
}

export async function next(number: number): Promise<Relayed> {
  const kept = children.get(number)!;
  const event = kept.events.shift() ?? (await new Promise<Relayed>((resolve) => (kept.waiting = resolve)));
  if (event.type === 'exit') children.delete(number);
  return event;
}

export const write = (number: number, bytes: Uint8Array): void => void children.get(number)?.child.stdin.write(bytes);
export const endInput = (number: number): void => void children.get(number)?.child.stdin.end();
export const kill = (number: number, signal?: NodeJS.Signals | number): void =>
  void children.get(number)?.child.kill(signal);
