/**
 * What both ways to have a child process give: its events one by one, waited for in place.
 */

export interface StdoutEvent {
  type: 'stdout';
  data: Buffer;
}

export interface StderrEvent {
  type: 'stderr';
  data: Buffer;
}

/** Either a code, or the signal that ended the child; neither for a child that could not be started. */
export interface ExitEvent {
  type: 'exit';
  code?: number;
  signal?: NodeJS.Signals;
}

export type Event = StdoutEvent | StderrEvent | ExitEvent;

/** Options of `child_process.spawn()`. */
export interface Options {
  cwd?: string;
  env?: Record<string, string>;
  argv0?: string;
  uid?: number;
  gid?: number;
  shell?: boolean | string;
  windowsVerbatimArguments?: boolean;
  windowsHide?: boolean;
  timeout?: number;
  killSignal?: string | number;
}

export interface Child {
  /** Blocks until there is one. Throws what went wrong at the start, or while writing. */
  next(): Event;
  /** The bytes may be used again afterwards. Does not wait. */
  write(bytes: Uint8Array): void;
  endInput(): void;
  kill(signal?: NodeJS.Signals | number): void;
  close(): void;
}
