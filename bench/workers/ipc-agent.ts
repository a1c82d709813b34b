/** The second agent of the low-level rows: the floors' loops, and the servers of a bare kernel. */
import { workerData } from 'node:worker_threads';
import { floorHandlers } from '../floors/agent.ts';
import type { FloorMemory } from '../floors/agent.ts';
import { serveCommands } from '../harness/agent.ts';
import { COMMAND_CALLS, serveCalls } from '../harness/ipc-agent.ts';
import { COMMAND_BYTE_CALLS, serveByteCalls } from '../harness/ipc-bytes.ts';

const data = workerData as FloorMemory & { readonly control: Int32Array };
serveCommands(
  data.control,
  new Map([...floorHandlers(data), [COMMAND_CALLS, serveCalls], [COMMAND_BYTE_CALLS, serveByteCalls]]),
);
