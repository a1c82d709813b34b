/**
 * The public functions of this agent's kernel. One agent may hold several copies of this package: a task's own import
 * beside the one that started it, or two versions of a dependency. The first copy evaluated is the kernel of the agent,
 * and the others give its functions, so that there is one system.
 */
import { IpcError } from '../rpc/ipc-error.ts';
import { move } from '../rpc/move.ts';
import type { Boot, BootSync, Here, Lookup, MakeTask, Move } from '../rpc/types.ts';
import { here } from './here.ts';
import { boot, bootSync, lookup, task } from './system.ts';
// The low level belongs to the same copy.
import '../user/ipc.ts';

export interface Api {
  readonly boot: Boot;
  readonly bootSync: BootSync;
  readonly task: MakeTask;
  readonly lookup: Lookup;
  readonly move: Move;
  readonly here: Here;
  readonly IpcError: typeof IpcError;
}

const KEY = Symbol.for('l3kernel.api');
const agent = globalThis as { [KEY]?: Api };
agent[KEY] ??= { boot, bootSync, task, lookup, move, here, IpcError };

export const api: Api = agent[KEY];
