/**
 * The floor's second agent, as seen by the agent that measures. It is a bare worker thread that parks between blocks and
 * answers on whichever words it is told, so that it can work on the very lines of the kernel's thread control blocks.
 *
 * Control words: the client writes the command, then raises GO and notifies; the agent copies GO to READY when it stands
 * in its loop, and only then does the client start its clock.
 */
import { Worker } from 'node:worker_threads';
import { moduleUrl } from '../harness/files.ts';
import { now_ms } from '../harness/interleave.ts';
import type { Side } from '../harness/interleave.ts';
import { bytesClient } from './bytes.ts';
import { cachelineClient } from './cacheline.ts';

export const CONTROL_GO = 0;
export const CONTROL_READY = 16;
export const CONTROL_COMMAND = 32;
export const CONTROL_MINE = 33;
export const CONTROL_THEIRS = 34;
export const CONTROL_COUNT = 35;
export const CONTROL_SIZE = 36;
export const CONTROL_WORDS = 48;

export const COMMAND_CACHELINE = 1;
export const COMMAND_BYTES = 2;
export const COMMAND_STOP = 3;

export interface FloorAgentData {
  readonly control: Int32Array;
  readonly words: Int32Array;
  /** The two windows of the bytes floor, or undefined when it is not asked for. */
  readonly clientWindow: Uint8Array | undefined;
  readonly agentWindow: Uint8Array | undefined;
}

/** Rounds before the clock starts: the partner has just left its park, and its first rounds are not the steady state. */
const WARM_ROUNDS = 64;

export interface FloorAgent {
  /** Round trips over two words of the shared array; `client` is written here, `agent` over there. */
  cacheline(client: number, agent: number): Side;
  /** Round trips of `size` bytes each way. */
  bytes(client: number, agent: number, size: number): Side;
  stop(): void;
}

/** Starts the agent over `words`; `bytes_max` sizes the two windows of the bytes floor. */
export function startFloorAgent(words: Int32Array, bytes_max = 0): FloorAgent {
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  const window = (): Uint8Array | undefined =>
    bytes_max === 0 ? undefined : new Uint8Array(new SharedArrayBuffer(bytes_max));
  const data: FloorAgentData = { control, words, clientWindow: window(), agentWindow: window() };
  const worker = new Worker(moduleUrl('../workers/floor-agent.ts', import.meta.url), { workerData: data });
  worker.unref();
  const source = new Uint8Array(bytes_max);
  source.fill(7);

  const command = (kind: number, client: number, agent: number, count: number, size: number): void => {
    Atomics.store(words, client, 0);
    Atomics.store(words, agent, 0);
    Atomics.store(control, CONTROL_COMMAND, kind);
    Atomics.store(control, CONTROL_MINE, agent);
    Atomics.store(control, CONTROL_THEIRS, client);
    Atomics.store(control, CONTROL_COUNT, count);
    Atomics.store(control, CONTROL_SIZE, size);
    const go = Atomics.add(control, CONTROL_GO, 1) + 1;
    Atomics.notify(control, CONTROL_GO);
    for (let seen = Atomics.load(control, CONTROL_READY); seen !== go; seen = Atomics.load(control, CONTROL_READY)) {
      Atomics.wait(control, CONTROL_READY, seen, 1_000);
    }
  };

  return {
    cacheline: (client, agent) => (count) => {
      command(COMMAND_CACHELINE, client, agent, WARM_ROUNDS, 0);
      cachelineClient(words, client, agent, WARM_ROUNDS);
      command(COMMAND_CACHELINE, client, agent, count, 0);
      const start_ms = now_ms();
      cachelineClient(words, client, agent, count);
      return now_ms() - start_ms;
    },
    bytes(client, agent, size) {
      if (data.clientWindow === undefined || data.agentWindow === undefined)
        throw new Error('the agent has no windows');
      const side = {
        source: source.subarray(0, size),
        theirWindow: data.agentWindow.subarray(0, size),
        ownWindow: new Int32Array(data.clientWindow.buffer, 0, size >> 2),
      };
      return (count) => {
        command(COMMAND_BYTES, client, agent, count, size);
        const start_ms = now_ms();
        bytesClient(words, client, agent, side, count);
        return now_ms() - start_ms;
      };
    },
    stop() {
      Atomics.store(control, CONTROL_COMMAND, COMMAND_STOP);
      Atomics.add(control, CONTROL_GO, 1);
      Atomics.notify(control, CONTROL_GO);
    },
  };
}

/** Words in the stride of placements on memory of our own: 512 bytes, as far apart as the kernel's control blocks. */
export const PLACEMENT_WORDS = 128;

/** Page-aligned shared memory for floors that have no kernel beside them. */
export function ownWords(placements: number): Int32Array {
  const pages = Math.ceil((placements * 2 * PLACEMENT_WORDS * 4) / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return new Int32Array(memory.buffer);
}
