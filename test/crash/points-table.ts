/** The scenarios of points.ts, and the words by which it talks with its agents. */
import { TAG_METHOD_SHIFT } from '../../src/layout/message.ts';
import type { Tcb } from '../../src/layout/tcb.ts';

export interface Scenario {
  readonly name: string;
  /** Whom the victim plays; the survivor is the other. */
  readonly victim: 'client' | 'server';
  /** Length of the string that goes there and back. */
  readonly bytes: number;
  /** The server calls its caller before it answers. */
  readonly upcall: boolean;
  /** The server begins to receive when its caller polls and sleeps. */
  readonly queued: boolean;
}

const plain = { bytes: 0, upcall: false, queued: false };
/** Goes in three pieces: a window of these threads has 64 KiB, a piece is half of it. */
const PIECES_BYTES = 80_000;

export const SCENARIOS: readonly Scenario[] = [
  { ...plain, name: 'who calls', victim: 'client' },
  { ...plain, name: 'who answers', victim: 'server' },
  { ...plain, name: 'who calls and polls', victim: 'client', queued: true },
  { ...plain, name: 'who takes a caller out of the queue', victim: 'server', queued: true },
  { ...plain, name: 'who sends and receives pieces', victim: 'client', bytes: PIECES_BYTES },
  { ...plain, name: 'who receives and sends pieces', victim: 'server', bytes: PIECES_BYTES },
  { ...plain, name: 'who is called back', victim: 'client', upcall: true },
  { ...plain, name: 'who calls back', victim: 'server', upcall: true },
];

/** What an agent is given. */
export interface Agent {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly isVictim: boolean;
  readonly self: Tcb;
  readonly scenarios: readonly Scenario[];
}

// Words of `control`.
/** Turns of the survivor that were ordered, and that have ended. */
export const ORDER = 0;
export const ENDED = 1;
/** Index into SCENARIOS. */
export const SCENARIO = 2;
/** Id of the thread that the survivor has to do with, and that the victim has. */
export const PARTNER = 3;
export const VICTIM_PARTNER = 4;
/** The victim ends before this one of its writes. */
export const WRITES = 5;
/** What became of the victim: 0, or one of the two below. */
export const VICTIM = 6;
/** How the survivor's operation ended. */
export const RESULT = 7;
/** Always 0: who sleeps on it is rung by nobody. */
export const NOBODY = 8;
export const CONTROL_WORDS = 16;

/** It stands before its n-th write, for ever. */
export const STOPPED = 1;
/** It has ended its part: it makes fewer writes. */
export const DONE = 2;

/** Method of the message that ends a turn of a surviving server. */
export const QUIT: number = 99 << TAG_METHOD_SHIFT;
