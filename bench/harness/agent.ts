/**
 * The second agent: a bare worker thread that parks between blocks and runs the loop that a command names. The floors
 * and the low-level rows use it, so that both sides of their ratios run on the same two threads.
 *
 * Control words: the client writes the command, raises GO and notifies; the agent copies GO to READY when it is about
 * to enter its loop, and only then does the client start its clock. It copies GO to DONE when the loop is over, and
 * before that the client does not touch what the loop works on.
 */
import { Worker } from 'node:worker_threads';

const CONTROL_GO = 0;
const CONTROL_READY = 16;
const CONTROL_DONE = 17;
const CONTROL_COMMAND = 32;
const CONTROL_MINE = 33;
const CONTROL_THEIRS = 34;
const CONTROL_COUNT = 35;
const CONTROL_SIZE = 36;
const CONTROL_WORDS = 48;

/** Ends the agent's loop of commands; all other commands belong to the agent's program. */
const COMMAND_STOP = 0;

/** As long as the kernel spins before it parks: of two commands in a row the second meets an agent that is awake. */
const SPIN_LOADS = 2_000;

/** A client that sees no answer looks again after this; it is no deadline, since the parent process has one. */
const LOOK_AGAIN_MS = 1_000;

/** What one command runs in the agent. The meaning of the four numbers is the command's own. */
export type Handler = (mine: number, theirs: number, count: number, size: number) => void;

export interface SecondAgent {
  /** Returns when the loop of the command before is over. */
  awaitDone(): void;
  /** Returns when the agent stands before its loop. */
  begin(command: number, mine: number, theirs: number, count: number, size: number): void;
  stop(): void;
}

/** Starts the agent's program, which finds `data` and the control words in its workerData. */
export function startSecondAgent(program: URL, data: object): SecondAgent {
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  const worker = new Worker(program, { workerData: { ...data, control } });
  worker.unref();
  const go = (command: number): number => {
    Atomics.store(control, CONTROL_COMMAND, command);
    const turn = Atomics.add(control, CONTROL_GO, 1) + 1;
    Atomics.notify(control, CONTROL_GO);
    return turn;
  };
  const awaitTurn = (at: number, turn: number): void => {
    for (let seen = Atomics.load(control, at); seen !== turn; seen = Atomics.load(control, at)) {
      Atomics.wait(control, at, seen, LOOK_AGAIN_MS);
    }
  };
  const awaitDone = (): void => awaitTurn(CONTROL_DONE, Atomics.load(control, CONTROL_GO));
  return {
    awaitDone,
    begin(command, mine, theirs, count, size) {
      awaitDone();
      Atomics.store(control, CONTROL_MINE, mine);
      Atomics.store(control, CONTROL_THEIRS, theirs);
      Atomics.store(control, CONTROL_COUNT, count);
      Atomics.store(control, CONTROL_SIZE, size);
      awaitTurn(CONTROL_READY, go(command));
    },
    stop: () => void go(COMMAND_STOP),
  };
}

/** The agent's side: runs commands until it is stopped. */
export function serveCommands(control: Int32Array, handlers: ReadonlyMap<number, Handler>): void {
  for (let turn = 0; ;) {
    for (let spin = 0; spin < SPIN_LOADS; spin++) if (Atomics.load(control, CONTROL_GO) !== turn) break;
    while (Atomics.load(control, CONTROL_GO) === turn) Atomics.wait(control, CONTROL_GO, turn);
    turn = Atomics.load(control, CONTROL_GO);
    const command = Atomics.load(control, CONTROL_COMMAND);
    if (command === COMMAND_STOP) return;
    const handler = handlers.get(command);
    if (handler === undefined) throw new Error(`no handler for command ${command}`);
    const mine = Atomics.load(control, CONTROL_MINE);
    const theirs = Atomics.load(control, CONTROL_THEIRS);
    const count = Atomics.load(control, CONTROL_COUNT);
    const size = Atomics.load(control, CONTROL_SIZE);
    Atomics.store(control, CONTROL_READY, turn);
    Atomics.notify(control, CONTROL_READY);
    handler(mine, theirs, count, size);
    Atomics.store(control, CONTROL_DONE, turn);
    Atomics.notify(control, CONTROL_DONE);
  }
}
