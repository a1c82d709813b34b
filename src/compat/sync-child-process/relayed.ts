/**
 * A child that lives in a task, whose event loop reads its pipes: for systems where `DirectChild` cannot be.
 */
import type { Task } from '../../index.ts';
import { library } from '../kernel.ts';
import type { Child, Event, Options } from './child.ts';
import type * as RunnerModule from './runner.ts';

export class RelayedChild implements Child {
  private readonly task: Task<typeof RunnerModule>;

  constructor(runner: URL, command: string, args: readonly string[], options: Options | undefined) {
    this.task = library().task<typeof RunnerModule>(runner);
    this.task.sync.open(command, args, options);
  }

  next(): Event {
    const event = this.task.sync.next() as Event | { type: 'error'; error: unknown };
    if (event.type === 'error') throw event.error;
    if (event.type === 'exit') return event;
    const { buffer, byteOffset, byteLength } = event.data;
    return { type: event.type, data: Buffer.from(buffer, byteOffset, byteLength) };
  }

  write(bytes: Uint8Array): void {
    this.task.sync.write(bytes);
  }

  endInput(): void {
    this.task.sync.endInput();
  }

  kill(signal?: NodeJS.Signals | number): void {
    this.task.sync.kill(signal);
  }

  close(): void {
    void this.task.kill();
  }
}
