/**
 * A child that lives in a task, whose event loop reads its pipes: for systems where `DirectChild` cannot be. All such
 * children of an agent live in one task, for to start a worker takes longer than many a child lives.
 */
import type { Task } from '../../index.ts';
import { ownTask } from '../kernel.ts';
import type { Child, Event, Options } from './child.ts';
import type * as RunnerModule from './runner.ts';

type Relay = Task<typeof RunnerModule>;

let relay: Relay | null = null;
let children = 0;

/** A task that has ended has taken its children's pipes with it; the next child gets another. */
function relayFor(runner: URL): Relay {
  if (relay === null || !relay.alive) relay = ownTask<typeof RunnerModule>(runner);
  return relay;
}

export class RelayedChild implements Child {
  private readonly task: Relay;
  private readonly number = ++children;
  private isOver = false;

  constructor(runner: URL, command: string, args: readonly string[], options: Options | undefined) {
    this.task = relayFor(runner);
    this.task.sync.open(this.number, command, args, options);
  }

  next(): Event {
    const event = this.task.sync.next(this.number) as Event | { type: 'error'; error: unknown };
    if (event.type === 'error') throw event.error;
    if (event.type === 'exit') return event;
    const { buffer, byteOffset, byteLength } = event.data;
    return { type: event.type, data: Buffer.from(buffer, byteOffset, byteLength) };
  }

  write(bytes: Uint8Array): void {
    this.task.sync.write(this.number, bytes);
  }

  endInput(): void {
    if (!this.isOver) this.task.sync.endInput(this.number);
  }

  kill(signal?: NodeJS.Signals | number): void {
    if (!this.isOver) this.task.sync.kill(this.number, signal);
  }

  /** The runner forgets the child when it tells of the exit. */
  close(): void {
    this.isOver = true;
  }
}
