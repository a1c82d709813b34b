/**
 * Many client agents and one server agent on a bare kernel. The clients begin together and end together; each keeps the
 * times of its calls in memory that all share.
 *
 * Invariant: the server is told to stop when all clients are done, so that none of them is left in a call.
 */
import type { ThreadId } from '../../src/layout/tcb.ts';
import { memory } from '../../src/platform/memory.ts';
import { call, makeTag, message, OK } from '../../src/user/ipc.ts';
import { startSecondAgent } from '../harness/agent.ts';
import type { Handler, SecondAgent } from '../harness/agent.ts';
import { actAs } from '../harness/bare-kernel.ts';
import type { BareKernel } from '../harness/bare-kernel.ts';
import { moduleUrl } from '../harness/files.ts';
import { BINS, count } from '../harness/histogram.ts';
import { COMMAND_CALLS, endCalls } from '../harness/ipc-agent.ts';

export const COMMAND_CLIENT = 18;

/** What the agents of a crowd share besides kernel memory. */
export interface CrowdMemory {
  /** 0: wait, 1: call, 2: end. */
  readonly gate: Int32Array;
  /** A histogram for each client. */
  readonly times: Float64Array;
}

const GATE_OPEN = 1;
const GATE_SHUT = 2;

const METHOD_ADD = 1;
const CALL_ADD = makeTag(2, 0, METHOD_ADD);
/** Calls between two looks at the gate: the line of the gate is everybody's. */
const CALLS_A_LOOK = 8;

/** A client: calls `theirs` until the gate shuts, with a pause of so many milliseconds after each call. */
export const clientOf =
  ({ gate, times }: CrowdMemory): Handler =>
  (mine, theirs, pause_ms, slot) => {
    actAs(mine as ThreadId);
    const counts = times.subarray(slot * BINS, (slot + 1) * BINS);
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0);
    while (Atomics.load(gate, 0) === GATE_OPEN) {
      for (let left = pause_ms > 0 ? 1 : CALLS_A_LOOK; left > 0; left--) {
        const before_ms = performance.now();
        message[0] = left;
        message[1] = slot;
        const result = call(theirs as ThreadId, CALL_ADD);
        if (result !== OK || message[0] !== left + 1) throw new Error(`call ended with ${result}`);
        count(counts, performance.now() - before_ms);
      }
      if (pause_ms > 0) Atomics.wait(sleeper, 0, 0, pause_ms);
    }
  };

export interface Crowd {
  /** The times of each client's calls in `duration_ms`; `pauses_ms` has the pause of each. */
  run(pauses_ms: readonly number[], duration_ms: number): Float64Array[];
  stop(): void;
}

export function startCrowd(kernel: BareKernel, clients_max: number): Crowd {
  const shared: CrowdMemory = {
    gate: new Int32Array(new SharedArrayBuffer(4)),
    times: new Float64Array(new SharedArrayBuffer(clients_max * BINS * 8)),
  };
  const open = (): { agent: SecondAgent; id: ThreadId } => ({
    agent: startSecondAgent(moduleUrl('workers/crowd-agent.ts'), { ...shared, l3kernel: { memory } }),
    id: kernel.agentThread(),
  });
  const own = kernel.pair().client;
  const server = open();
  const clients = Array.from({ length: clients_max }, open);
  const turn = (state: number): void => {
    Atomics.store(shared.gate, 0, state);
    Atomics.notify(shared.gate, 0);
  };
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  return {
    run(pauses_ms, duration_ms) {
      turn(0);
      shared.times.fill(0);
      server.agent.begin(COMMAND_CALLS, server.id, own, 0, 2);
      const wanted = clients.slice(0, pauses_ms.length);
      for (const [slot, { agent, id }] of wanted.entries()) {
        agent.begin(COMMAND_CLIENT, id, server.id, pauses_ms[slot] as number, slot);
      }
      turn(GATE_OPEN);
      Atomics.wait(sleeper, 0, 0, duration_ms);
      turn(GATE_SHUT);
      for (const { agent } of wanted) agent.awaitDone();
      actAs(own);
      endCalls(server.id);
      return wanted.map((_, slot) => shared.times.slice(slot * BINS, (slot + 1) * BINS));
    },
    stop() {
      for (const { agent } of [server, ...clients]) agent.stop();
    },
  };
}
