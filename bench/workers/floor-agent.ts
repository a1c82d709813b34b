/** The floor's second agent: parked on GO between blocks, then the answering loop that the command names. */
import { workerData } from 'node:worker_threads';
import {
  COMMAND_BYTES,
  COMMAND_CACHELINE,
  COMMAND_STOP,
  CONTROL_COMMAND,
  CONTROL_COUNT,
  CONTROL_GO,
  CONTROL_MINE,
  CONTROL_READY,
  CONTROL_SIZE,
  CONTROL_THEIRS,
} from '../floors/agent.ts';
import type { FloorAgentData } from '../floors/agent.ts';
import { bytesServer } from '../floors/bytes.ts';
import { cachelineServer } from '../floors/cacheline.ts';

const { control, words, clientWindow, agentWindow } = workerData as FloorAgentData;
const source = new Uint8Array(agentWindow?.length ?? 0);
source.fill(9);

/** As long as the kernel spins before it parks: two commands in a row then meet an agent that is awake. */
const SPIN_LOADS = 2_000;

function awaitGo(seen: number): number {
  for (let spin = 0; spin < SPIN_LOADS; spin++) if (Atomics.load(control, CONTROL_GO) !== seen) break;
  while (Atomics.load(control, CONTROL_GO) === seen) Atomics.wait(control, CONTROL_GO, seen);
  return Atomics.load(control, CONTROL_GO);
}

function serve(command: number): void {
  const mine = Atomics.load(control, CONTROL_MINE);
  const theirs = Atomics.load(control, CONTROL_THEIRS);
  const count = Atomics.load(control, CONTROL_COUNT);
  const size = Atomics.load(control, CONTROL_SIZE);
  if (command === COMMAND_CACHELINE) return cachelineServer(words, mine, theirs, count);
  if (command !== COMMAND_BYTES || clientWindow === undefined || agentWindow === undefined) return;
  const side = {
    source: source.subarray(0, size),
    theirWindow: clientWindow.subarray(0, size),
    ownWindow: new Int32Array(agentWindow.buffer, 0, size >> 2),
  };
  bytesServer(words, mine, theirs, side, count);
}

let seen = 0;
for (;;) {
  seen = awaitGo(seen);
  const command = Atomics.load(control, CONTROL_COMMAND);
  if (command === COMMAND_STOP) break;
  Atomics.store(control, CONTROL_READY, seen);
  Atomics.notify(control, CONTROL_READY);
  serve(command);
}
