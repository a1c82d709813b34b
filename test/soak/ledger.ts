/**
 * The ledger of calls, in memory that all threads of the process share: each call has a number, and beside it who made
 * it, how often it was executed and how it ended. So it is known of the calls of the dead, too.
 *
 * `setEnvironmentData` hands the memory to every worker that is started later, whoever starts it.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** Calls that fit. */
export const CALLS_MAX: number = 2 ** 22;

const KEY = 'l3kernel.test.ledger';
const HEADER_BYTES = 64;
/** Words of the header. */
const CALLS = 0;
const MEMBERS = 1;
const STOPPED = 2;
const TWICE = 3;

interface Shared {
  readonly header: Int32Array<SharedArrayBuffer>;
  /** By call: the caller's number; 0 is the main thread. */
  readonly caller: Uint16Array<SharedArrayBuffer>;
  readonly executed: Uint8Array<SharedArrayBuffer>;
  /** By call: index into OUTCOMES; 0 while it is open. */
  readonly outcome: Uint8Array<SharedArrayBuffer>;
}

/** How a call ends; the first is "it has not". What is not here is `other`. */
export const OUTCOMES = [
  'open',
  'answer',
  'ERR_IPC_PEER_GONE',
  'ERR_IPC_DEADLOCK',
  'ERR_IPC_NO_SUCH_THREAD',
  'ERR_IPC_TIMEOUT',
  'ERR_IPC_ABORTED',
  'other',
] as const;

function views(buffer: SharedArrayBuffer): Shared {
  return {
    header: new Int32Array(buffer, 0, HEADER_BYTES / 4),
    caller: new Uint16Array(buffer, HEADER_BYTES, CALLS_MAX),
    executed: new Uint8Array(buffer, HEADER_BYTES + 2 * CALLS_MAX, CALLS_MAX),
    outcome: new Uint8Array(buffer, HEADER_BYTES + 3 * CALLS_MAX, CALLS_MAX),
  };
}

if (getEnvironmentData(KEY) === undefined) {
  setEnvironmentData(KEY, new SharedArrayBuffer(HEADER_BYTES + 4 * CALLS_MAX) as never);
}
const { header, caller, executed, outcome } = views(getEnvironmentData(KEY) as unknown as SharedArrayBuffer);

/** Forgets everything; nobody may be calling. */
export function clear(): void {
  for (const part of [header, caller, executed, outcome]) part.fill(0);
}

export const newMember = (): number => Atomics.add(header, MEMBERS, 1) + 1;
export const stop = (): void => void Atomics.store(header, STOPPED, 1);
export const isStopped = (): boolean =>
  Atomics.load(header, STOPPED) === 1 || Atomics.load(header, CALLS) >= CALLS_MAX - 1000;

/** A new call of a member; its number is above 0. */
export function begin(member: number): number {
  const call = Atomics.add(header, CALLS, 1) + 1;
  caller[call] = member;
  return call;
}

export const execute = (call: number): void => void Atomics.add(executed, call, 1);

/** What the answer to a call must be. */
export const answerOf = (call: number): number => call * 8 + 1;

/** The longest message: longer than every window. */
const SIZE_MAX = 3 << 20;

/** Bytes that tell their call, all over. */
export function bytesFor(call: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const seed = Math.imul(call, 0x9e3779b1);
  for (let i = 0; i < size; i += 97) bytes[i] = (seed >>> (i & 15)) + i;
  return bytes;
}

export const isWhole = (answer: unknown, sent: Uint8Array): boolean =>
  answer instanceof Uint8Array && Buffer.compare(answer, sent) === 0;

/** What a call is to be. */
export interface Drawn {
  /** Bytes that go along; 0: none. One call in thirty has some, up to 3 MiB, each power of two as often as the next. */
  readonly size: number;
  /** 0: none. */
  readonly timeout_ms: number;
  /** Below 0: it is not aborted. */
  readonly abortAfter_ms: number;
}

export function drawCall(): Drawn {
  const kind = Math.random();
  return {
    size: Math.random() < 1 / 30 ? Math.ceil(SIZE_MAX ** Math.random()) : 0,
    timeout_ms: kind < 0.03 ? 1 + Math.floor(3 * Math.random()) : 0,
    abortAfter_ms: kind > 0.97 ? Math.floor(3 * Math.random()) : -1,
  };
}

export function end(call: number, how: string): void {
  const known = (OUTCOMES as readonly string[]).indexOf(how);
  const index = known < 0 ? OUTCOMES.length - 1 : known;
  if (Atomics.exchange(outcome, call, index) !== 0) Atomics.add(header, TWICE, 1);
}

/** How many calls of these members are open. */
export function openCalls(members: ReadonlySet<number>): number {
  let open = 0;
  for (let call = 1; call <= header[CALLS]!; call++) if (outcome[call] === 0 && members.has(caller[call]!)) open++;
  return open;
}

export interface Account {
  readonly calls: number;
  readonly members: number;
  /** By outcome; `open` are calls whose caller has died. */
  readonly outcomes: Record<string, number>;
  readonly problems: readonly string[];
}

/** The account at the end, when nobody calls any more; `living` are the members that have not died. */
export function account(living: ReadonlySet<number>): Account {
  const problems: string[] = [];
  const outcomes: Record<string, number> = Object.fromEntries(OUTCOMES.map((name) => [name, 0]));
  const calls = header[CALLS]!;
  for (let call = 1; call <= calls; call++) {
    const how = OUTCOMES[outcome[call]!]!;
    outcomes[how]!++;
    const times = executed[call]!;
    if (times > 1) problems.push(`call ${call} was executed ${times} times`);
    if (how === 'answer' && times !== 1) problems.push(`call ${call} has an answer and was executed ${times} times`);
    if (how === 'open' && living.has(caller[call]!))
      problems.push(`call ${call} of living caller ${caller[call]} has no outcome, executed ${times} times`);
  }
  if (header[TWICE] !== 0) problems.push(`${header[TWICE]} calls ended twice`);
  return { calls, members: header[MEMBERS]!, outcomes, problems };
}
