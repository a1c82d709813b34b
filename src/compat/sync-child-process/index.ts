/**
 * `l3kernel/sync-child-process`: the surface of sync-child-process 1.1 without a worker between the child and the
 * thread that reads it. docs/migrating/sync-child-process.md says what differs.
 */
import { Writable } from 'node:stream';
import type { Child, ExitEvent, Options, StderrEvent, StdoutEvent } from './child.ts';
import { DirectChild } from './direct.ts';
import { RelayedChild } from './relayed.ts';

export type { ExitEvent, Options, StderrEvent, StdoutEvent } from './child.ts';

/** Set to `relay`, it has the child in a task on Linux too. */
const KIND = process.env['L3_SYNC_CHILD_PROCESS'];
const RUNNER = new URL('./runner.ts', import.meta.url);

export class SyncChildProcess implements Iterator<StderrEvent | StdoutEvent, ExitEvent | undefined> {
  readonly stdin: Writable;
  private readonly child: Child;

  constructor(command: string, options?: Options);
  constructor(command: string, args: string[], options?: Options);
  constructor(command: string, argsOrOptions?: string[] | Options, options?: Options) {
    const args = Array.isArray(argsOrOptions) ? argsOrOptions : [];
    const given = Array.isArray(argsOrOptions) ? options : argsOrOptions;
    const isDirect = process.platform === 'linux' && KIND !== 'relay';
    const child = isDirect ? new DirectChild(command, args, given) : new RelayedChild(RUNNER, command, args, given);
    this.child = child;
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, callback) => {
        child.write(chunk);
        callback();
      },
      final: (callback) => {
        child.endInput();
        callback();
      },
    });
  }

  /**
   * Blocks until the child has written something or has ended. Throws why it could not be started, and then, as after
   * an error of writing, goes on with the next event. After the exit event it gives `{ done: true }` without a value.
   */
  next(): IteratorResult<StdoutEvent | StderrEvent, ExitEvent | undefined> {
    if (this.stdin.destroyed) return { done: true, value: undefined };
    const event = this.child.next();
    if (event.type !== 'exit') return { value: event };
    this.child.close();
    this.stdin.destroy();
    return { done: true, value: event };
  }

  /** Sends a signal, SIGTERM by default. Without effect after the exit. */
  kill(signal?: NodeJS.Signals | number): void {
    this.child.kill(signal);
  }
}
