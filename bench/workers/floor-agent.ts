/** The second agent of the floors, where nothing else is asked of it. */
import { workerData } from 'node:worker_threads';
import { floorHandlers } from '../floors/agent.ts';
import type { FloorMemory } from '../floors/agent.ts';
import { serveCommands } from '../harness/agent.ts';

const data = workerData as FloorMemory & { readonly control: Int32Array };
serveCommands(data.control, new Map(floorHandlers(data)));
