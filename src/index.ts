/**
 * l3kernel: call code you do not trust as if it were a function. The public surface; the low level is `l3kernel/ipc`.
 */
import { bootstrap } from '#bootstrap';
import { api } from './tasks/api.ts';
import './servers/clock/api.ts';
import { joinNames } from './servers/names/api.ts';
import type { IpcError as IpcErrorClass } from './rpc/ipc-error.ts';
import { setBootstrap } from './tasks/supervisor.ts';

setBootstrap(bootstrap);
joinNames();

export const { boot, bootSync, task, lookup, move, here, IpcError } = api;
export type IpcError = IpcErrorClass;
/** The task this code runs in; the same object as `here`. */
export const self: typeof here = here;

export type {
  Async,
  BootOptions,
  CallContext,
  CallOptions,
  ConsoleLevel,
  Here,
  Instances,
  IpcErrorCode,
  Limits,
  SandboxLimits,
  SpawnOptions,
  Stubs,
  Sync,
  System,
  Task,
  TaskExit,
  TaskInfo,
  TaskKind,
  TaskLimits,
  TaskOptions,
  TaskState,
  ThreadId,
  WasiFiles,
} from './rpc/types.ts';
