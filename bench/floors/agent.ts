/**
 * The floors between two agents, as sides for the harness, over any second agent that has the floors' handlers: the
 * bare floor agent, or the one that also serves the kernel's calls.
 */
import { moduleUrl } from '../harness/files.ts';
import { startSecondAgent } from '../harness/agent.ts';
import type { Handler, SecondAgent } from '../harness/agent.ts';
import { DISPLACED, now_ms } from '../harness/interleave.ts';
import type { Side } from '../harness/interleave.ts';
import { bytesClient, bytesServer } from './bytes.ts';
import { cachelineClient, cachelineServer } from './cacheline.ts';

const COMMAND_CACHELINE = 1;
const COMMAND_BYTES = 2;

/** What both agents of a floor share. */
export interface FloorMemory {
  readonly words: Int32Array;
  /** The two windows of the bytes floor, or undefined when it is not asked for. */
  readonly clientWindow: Uint8Array | undefined;
  readonly agentWindow: Uint8Array | undefined;
}

/**
 * Rounds before the clock starts: the partner has just left its park, and its first rounds are not the steady state.
 */
const WARM_ROUNDS = 64;
/** The same for the bytes floor, and the pages are mapped by then. */
const WARM_BYTES = 1 << 18;

export interface Floors {
  /** Round trips over two words of the shared array; `client` is written here, `agent` over there. */
  cacheline(client: number, agent: number): Side;
  /** Round trips of `size` bytes each way. */
  bytes(client: number, agent: number, size: number): Side;
}

export interface FloorAgent extends Floors {
  stop(): void;
}

/** `bytes_max` sizes the two windows of the bytes floor. */
export function floorMemory(words: Int32Array, bytes_max = 0): FloorMemory {
  const window = (): Uint8Array | undefined =>
    bytes_max === 0 ? undefined : new Uint8Array(new SharedArrayBuffer(bytes_max));
  return { words, clientWindow: window(), agentWindow: window() };
}

/** The floors' sides over an agent that runs `floorHandlers` on the same memory. */
export function floorsOver(agent: SecondAgent, memory: FloorMemory): Floors {
  const { words, clientWindow, agentWindow } = memory;
  const source = new Uint8Array(clientWindow?.length ?? 0).fill(7);
  const begin = (command: number, client: number, server: number, count: number, size: number): void => {
    agent.awaitDone();
    Atomics.store(words, client, 0);
    Atomics.store(words, server, 0);
    agent.begin(command, server, client, count, size);
  };
  /**
   * The server must have seen that its client gave up before the words get another use: the lines are the kernel's, and
   * the next reply would overwrite what the server looks for.
   */
  const displaced = (): number => {
    agent.awaitDone();
    return DISPLACED;
  };
  return {
    cacheline: (client, server) => (count) => {
      begin(COMMAND_CACHELINE, client, server, WARM_ROUNDS, 0);
      if (!cachelineClient(words, client, server, WARM_ROUNDS)) return displaced();
      begin(COMMAND_CACHELINE, client, server, count, 0);
      const start_ms = now_ms();
      return cachelineClient(words, client, server, count) ? now_ms() - start_ms : displaced();
    },
    bytes(client, server, size) {
      if (clientWindow === undefined || agentWindow === undefined) throw new Error('the floor has no windows');
      const side = {
        source: source.subarray(0, size),
        theirWindow: agentWindow.subarray(0, size),
        ownWindow: new Int32Array(clientWindow.buffer, 0, size >> 2),
      };
      const warmRounds = Math.ceil(WARM_BYTES / size);
      return (count) => {
        begin(COMMAND_BYTES, client, server, warmRounds, size);
        if (!bytesClient(words, client, server, side, warmRounds)) return displaced();
        begin(COMMAND_BYTES, client, server, count, size);
        const start_ms = now_ms();
        return bytesClient(words, client, server, side, count) ? now_ms() - start_ms : displaced();
      };
    },
  };
}

/** The other half of the floors, for the agent's table of commands. */
export function floorHandlers(memory: FloorMemory): [number, Handler][] {
  const { words, clientWindow, agentWindow } = memory;
  const source = new Uint8Array(agentWindow?.length ?? 0).fill(9);
  const bytes: Handler = (mine, theirs, count, size) => {
    if (clientWindow === undefined || agentWindow === undefined) throw new Error('the floor has no windows');
    const side = {
      source: source.subarray(0, size),
      theirWindow: clientWindow.subarray(0, size),
      ownWindow: new Int32Array(agentWindow.buffer, 0, size >> 2),
    };
    bytesServer(words, mine, theirs, side, count);
  };
  return [
    [COMMAND_CACHELINE, (mine, theirs, count) => cachelineServer(words, mine, theirs, count)],
    [COMMAND_BYTES, bytes],
  ];
}

/** An agent for the floors alone. */
export function startFloorAgent(words: Int32Array, bytes_max = 0): FloorAgent {
  const memory = floorMemory(words, bytes_max);
  const agent = startSecondAgent(moduleUrl('workers/floor-agent.ts'), memory);
  return { ...floorsOver(agent, memory), stop: agent.stop };
}

/** Words in the stride of placements on memory of our own: 512 bytes, as far apart as the kernel's control blocks. */
export const PLACEMENT_WORDS = 128;

/** Page-aligned shared memory for floors that have no kernel beside them. */
export function ownWords(placements: number): Int32Array {
  const pages = Math.ceil((placements * 2 * PLACEMENT_WORDS * 4) / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return new Int32Array(memory.buffer);
}
