/** What passes over an inspection socket: a request is one line, its answer one line of JSON, an `Inspection`. */
import type { Snapshot } from '../../inspect/snapshot.ts';

/** The one request there is. */
export const REQUEST = 'snapshot';
/** A request is no longer than this, its end included. */
export const REQUEST_BYTES_MAX = 64;
export interface SystemInfo {
  /** File name of the program that booted it, without its extension. */
  readonly name: string;
  readonly pid: number;
  /** Version of Node. */
  readonly node: string;
}

export interface Inspection extends Snapshot {
  readonly system: SystemInfo;
  /** Names of the methods that threads call at the moment, by thread id, as far as they are known. */
  readonly methods: Readonly<Record<number, string>>;
}
