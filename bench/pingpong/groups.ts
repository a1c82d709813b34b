/**
 * The groups by name. A group knows how to set up its subject and its floor and hands both to the harness; the imports
 * are deferred, so that a measuring process loads one group and nothing of its neighbours.
 */
import type { Context } from '../harness/job.ts';

export interface Group {
  run(context: Context): Promise<void>;
}

const GROUPS: Readonly<Record<string, () => Promise<Group>>> = {
  floor: () => import('./groups/floor.ts'),
  call: () => import('./groups/call.ts'),
  local: () => import('./groups/local.ts'),
  wasm: () => import('./groups/wasm.ts'),
  quickjs: () => import('./groups/quickjs.ts'),
  bytes: () => import('./groups/bytes.ts'),
  threads: () => import('./groups/threads.ts'),
  timeouts: () => import('./groups/timeouts.ts'),
  tasks: () => import('./groups/tasks.ts'),
  typed: () => import('./groups/typed.ts'),
  async: () => import('./groups/async.ts'),
  stream: () => import('./groups/stream.ts'),
  clients: () => import('./groups/clients.ts'),
  'typed-bytes': () => import('./groups/typed-bytes.ts'),
  idle: () => import('./groups/idle.ts'),
  boot: () => import('./groups/boot.ts'),
  ends: () => import('./groups/ends.ts'),
  handover: () => import('./groups/handover.ts'),
  rivals: () => import('./groups/rivals.ts'),
  docs: () => import('./groups/docs.ts'),
  use: () => import('../use/group.ts'),
  constants: () => import('../constants/group.ts'),
  removal: () => import('../removal/group.ts'),
};

export function loadGroup(name: string): Promise<Group> {
  const load = GROUPS[name];
  if (load === undefined) throw new Error(`no group '${name}'`);
  return load();
}

export function groupNames(): readonly string[] {
  return Object.keys(GROUPS);
}
