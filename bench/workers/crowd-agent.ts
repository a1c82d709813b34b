/** An agent of a crowd: its server, or one of its clients. */
import { workerData } from 'node:worker_threads';
import { clientOf, COMMAND_CLIENT } from '../constants/crowd.ts';
import type { CrowdMemory } from '../constants/crowd.ts';
import { serveCommands } from '../harness/agent.ts';
import { COMMAND_CALLS, serveCalls } from '../harness/ipc-agent.ts';

const data = workerData as CrowdMemory & { readonly control: Int32Array };
serveCommands(
  data.control,
  new Map([
    [COMMAND_CALLS, serveCalls],
    [COMMAND_CLIENT, clientOf(data)],
  ]),
);
