/**
 * The public surface as a user writes it: boot, spawn, options, `with`, lookups, errors. Nothing here runs.
 */
import type { IpcError } from '../../src/rpc/ipc-error.ts';
import type {
  Boot,
  BootSync,
  CallOptions,
  Here,
  IpcErrorCode,
  IpcPhase,
  Lookup,
  MakeTask,
  Move,
  Spawn,
  SpawnSync,
  Stubs,
  Sync,
  System,
  Task,
  TaskExit,
  TaskInfo,
  ThreadId,
} from '../../src/rpc/types.ts';
import type { Equal, Expect } from './equal.test-d.ts';

// The form that the documentation shows.
type Module = typeof import('./module.test-d.ts');

declare const boot: Boot;
declare const bootSync: BootSync;
declare const task: MakeTask;
declare const lookup: Lookup;
declare const move: Move;
declare const here: Here;

export async function systems(): Promise<void> {
  const system = await boot({ timeout: 1000, limits: { calls: 8 }, handover: true, log: (line) => line.length });
  const adder = await system.spawn<Module>(new URL('file:///adder.ts'), {
    kind: 'worker',
    name: 'adder',
    restart: 'on-failure',
    timeout: 50,
    onTimeout: 'kill',
    concurrency: 16,
    host: {
      isLan(ip: string) {
        return ip.startsWith('10.');
      },
    },
    args: ['a', 1],
    env: { HOME: '/', GONE: undefined },
    resourceLimits: { maxOldGenerationSizeMb: 64 },
    execArgv: ['--no-warnings'],
  });
  const again: Task<Module> = system.spawnSync<Module>('./adder.ts');
  const infos: TaskInfo[] = system.tasks();
  const ended: boolean = system.cancel(adder.id);
  const exit: TaskExit = await adder.exited;
  await adder.kill();
  await system.shutdown();
  const disposable: { [Symbol.asyncDispose](): PromiseLike<void> } = bootSync();
  void [again.sync.add(1, 2), infos[0]?.partner, ended, exit.code + 1, exit.reason.length, disposable];
  // @ts-expect-error not a kind
  void system.spawn('./x.ts', { kind: 'sandbox' });
  // @ts-expect-error not an option
  void system.spawn('./x.ts', { retries: 3 });
  // @ts-expect-error host functions are functions
  void system.spawn('./x.ts', { host: { isLan: true } });
  // @ts-expect-error a number is no thread id
  system.cancel(17);
  // @ts-expect-error the id is read, not set
  adder.id = again.id;
}

export async function tasks(signal: AbortSignal): Promise<void> {
  const t = task<Module>(new URL('file:///adder.ts'), { timeout: 1000 });
  const quick = t.with({ timeout: 50, signal, borrow: true, into: new Uint8Array(8) });
  const sum: number = quick.sync.add(1, 2);
  const slow: string = await quick.async.slow(1);
  const found: string = await lookup<Module>('adder').async.slow(1);
  void [sum, slow, found];
  // @ts-expect-error with() is typed as the task is
  quick.sync.addd(1, 2);
  // @ts-expect-error not an option of a call
  t.with({ retries: 1 });
  // @ts-expect-error a task is not a promise, and sync results are not either
  t.sync.add(1, 2).then();
}

/** Without a module type every name may be called; under `noUncheckedIndexedAccess` too. */
export async function untyped(system: System): Promise<void> {
  const t = await system.spawn('./x.js');
  const { add } = t.sync;
  const n: number = add(1, 2);
  const m: string = await t.async.whatever('x', { y: 1 });
  const quick = t.with({ timeout: 1 });
  void [n, m, quick.sync.add(1), lookup('store').sync.get('k'), t.name.length, t.alive];
  // @ts-expect-error the task itself is typed
  t.add(1, 2);
}

/** `Record` is the stricter untyped form. */
export function strictUntyped(): void {
  const t = task<Record<string, (x: number) => number>>('./x.js');
  const f: ((x: number) => number) | undefined = t.sync['double'];
  // @ts-expect-error the values are typed
  t.sync['double']?.('1');
  void f;
}

export function inside(): void {
  const sender: ThreadId = here.sender;
  const chief: ThreadId | undefined = here.chief;
  const lan: boolean = here.host.sync.isLan('10.0.0.1');
  void [sender, chief, lan, here.signal.aborted, here.self.id, here.self.self.id];
  const typed = here as Here<{ isLan(ip: string): boolean }>;
  // @ts-expect-error host functions can be typed
  typed.host.sync.isWan('10.0.0.1');
}

export function moves(): void {
  const bytes: Uint8Array<ArrayBuffer> = move(new Uint8Array(4));
  const buffer: ArrayBuffer = move(new ArrayBuffer(4));
  void [bytes, buffer, move(new DataView(buffer)).byteLength];
  // @ts-expect-error only buffers move
  move('text');
}

export function errors(error: IpcError): string {
  const cause: unknown = error.cause;
  void [cause, error.elapsed_ms, error.task, error.method];
  switch (error.code) {
    case 'ERR_IPC_TIMEOUT':
      return error.phase ?? 'no phase';
    // @ts-expect-error not a code
    case 'ERR_IPC_TIMED_OUT':
      return '';
    default:
      return error.message;
  }
}

export type Surface = [
  Expect<Equal<Awaited<ReturnType<Boot>>, System>>,
  Expect<Equal<ReturnType<BootSync>, System>>,
  Expect<Equal<System['spawn'], Spawn>>,
  Expect<Equal<System['spawnSync'], SpawnSync>>,
  Expect<Equal<Task<Module>['sync'], Sync<Module>>>,
  Expect<Equal<ReturnType<Task<Module>['with']>, Stubs<Module>>>,
  Expect<Equal<IpcError['code'], IpcErrorCode>>,
  Expect<Equal<IpcError['phase'], IpcPhase | undefined>>,
  Expect<Equal<keyof CallOptions, 'timeout' | 'signal' | 'borrow' | 'into' | 'batch'>>,
  Expect<Equal<Exclude<keyof System, symbol>, 'spawn' | 'spawnSync' | 'tasks' | 'cancel' | 'shutdown'>>,
];
