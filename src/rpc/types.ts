/**
 * The public types: everything a program says to l3kernel, and no run-time code.
 *
 * Words. A *module type* is `typeof import('./adder.ts')`, or any interface of methods: its functions are the interface
 * of a task. A *stub* is what the caller holds instead of such a function. An *upcall* is a callee calling a function
 * that came as an argument; it is served on the thread that waits for the callee.
 *
 * Invariant: a stub's type is the function's own type wherever that is true as it stands. Only what must change is
 * rebuilt, because TypeScript forgets type parameters, overloads beyond the last six, and documentation when a function
 * type is taken apart. What is lost on each way is said at `SyncFunction` and `AsyncFunction`.
 */

import type { ThreadId } from '../layout/tcb.ts';

export type { ThreadId } from '../layout/tcb.ts';

/** Where a task lives, and so what it is kept away from. CAVEATS.md says what each kind does not protect. */
export type TaskKind = 'worker' | 'local' | 'wasm';

/** Why an ipc did not end in a reply. Every call ends in one of: reply, the callee's own error, one of these. */
export type IpcErrorCode =
  /**
   * The call did not end within its timeout; `phase` says whether it was still waiting to be taken (`send`) or being
   * worked on (`receive`). The callee goes on unless the task has `onTimeout: 'kill'`. Raise the timeout, or look with
   * `system.tasks()` at what the callee waits for.
   */
  | 'ERR_IPC_TIMEOUT'
  /** The caller's `signal` was aborted, or `system.cancel` ended the wait; `cause` is the signal's reason. */
  | 'ERR_IPC_ABORTED'
  /**
   * The callee died with the call in flight, or its supervisor has given up restarting it (`cause` is the last reason).
   * The call may have been executed in part and is never repeated silently: repeat it only if that does no harm.
   */
  | 'ERR_IPC_PEER_GONE'
  /** The thread id or the name means nobody, or a thread that is dead. Look the name up again, or spawn the task. */
  | 'ERR_IPC_NO_SUCH_THREAD'
  /** The task has no function of that name. The message lists those it has: a typo, or another version of it. */
  | 'ERR_IPC_NO_SUCH_METHOD'
  /**
   * Tasks wait for each other in a ring, or a passive task was re-entered. The message names the members. Make one of
   * the calls `.async`, or raise the `concurrency` of one of them.
   */
  | 'ERR_IPC_DEADLOCK'
  /** A message is longer than the receiver allows. Both sides are told. Raise the receiver's limit or send less. */
  | 'ERR_IPC_OVERFLOW'
  /** The receiver's chief, or the receiver, does not accept messages from this sender. Ask the chief for the right. */
  | 'ERR_IPC_DENIED'
  /** An argument or result cannot be copied; the message has the path (`args[0].f`). Nothing was sent. */
  | 'ERR_IPC_NOT_CLONEABLE'
  /** A limit of the system is reached (tasks, threads, depth of upcalls, nesting of a value). The message names it. */
  | 'ERR_IPC_LIMIT'
  /** The task did not start; `cause` is the module's own error, or the message lists the files that were tried. */
  | 'ERR_IPC_SPAWN_FAILED'
  /** The system is shut down or shutting down. Boot another, or stop calling before `shutdown()`. */
  | 'ERR_IPC_SHUTDOWN'
  /** A function or a view was used after the call that lent it had returned. Keep a copy, or return the value. */
  | 'ERR_IPC_REVOKED';

/** The part of an ipc that failed. */
export type IpcPhase = 'send' | 'receive' | 'transfer' | 'spawn';

/** Options of one call, or of all calls made through `task.with(…)`. */
export interface CallOptions {
  /**
   * Milliseconds until the call ends in `ERR_IPC_TIMEOUT`. 0 asks for an answer without waiting for a busy callee.
   * Default: the task's, else the system's, else none.
   */
  readonly timeout?: number | undefined;
  /**
   * Ends an `.async` call in `ERR_IPC_ABORTED`. `.sync` looks at it before the call only: the event cannot fire while
   * this thread is blocked.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Uint8Array arguments of `.sync` calls are lent: fewer copies are made, and the callee's array is detached when the
   * call is answered. Their byte results are lent to the caller, until its next call through the same stubs. `.async`
   * calls, calls of tasks in this thread, and arguments of generator functions are copied as without it.
   */
  readonly borrow?: boolean | undefined;
  /**
   * A result that is a Uint8Array is copied into this buffer and arrives as a subarray of it; any other as it is. Too
   * long is `ERR_IPC_OVERFLOW`. Calls that are under way together share the buffer.
   */
  readonly into?: Uint8Array | undefined;
  /**
   * Of a generator function: values that one step of its iterator brings at most; it runs ahead of its consumer by so
   * many. A step brings fewer when they take longer than a millisecond. Default: 1, each value when it is asked for.
   */
  readonly batch?: number | undefined;
}

/** Upper bounds of a system. What is left out has its default of layout/params.ts; above them is `ERR_IPC_LIMIT`. */
export interface Limits {
  /** Tasks alive at one time. */
  readonly tasks?: number | undefined;
  /** Thread control blocks, over all tasks. */
  readonly threads?: number | undefined;
  /** `.async` calls of one agent in the kernel at one time; more wait in the caller's own heap. Default 64. */
  readonly calls?: number | undefined;
}

/**
 * What goes with every call from one agent to another, as AsyncLocalStorage does within one. Each agent that takes part
 * says so by `boot({ context })`, a task in its module.
 */
export interface CallContext<C = any> {
  /** The context of a call that begins now; cloneable. Undefined: the call has none. */
  capture(): C | undefined;
  /** Runs a handler in the context of its call, and returns what it gives. */
  run<T>(context: C, call: () => T): T;
}

/** Options of `boot` and `bootSync`. */
export interface BootOptions {
  /** Default timeout of every call, in milliseconds. Default: none. */
  readonly timeout?: number | undefined;
  readonly limits?: Limits | undefined;
  /** Let a server's thread follow its one synchronous caller to the caller's core. Linux; default false. */
  readonly handover?: boolean | undefined;
  /**
   * Carries a context of the program's own with each call. It holds for stubs that are made later, in this agent. The
   * W3C trace context goes along by itself where OpenTelemetry's API has been set up.
   */
  readonly context?: CallContext | undefined;
  /** Takes what the supervisor reports (who waits for whom), a line at a time; false for silence. Default: stderr. */
  readonly log?: ((line: string) => void) | false | undefined;
}

/** Limits of a worker's heap and stack, in MiB, as Node's `Worker` takes them. */
export interface ResourceLimits {
  maxOldGenerationSizeMb?: number | undefined;
  maxYoungGenerationSizeMb?: number | undefined;
  codeRangeSizeMb?: number | undefined;
  stackSizeMb?: number | undefined;
}

/** How many workers a pool has. */
export interface Instances {
  /** Those that are started at once, and always there. */
  readonly min: number;
  /** One more is started, up to so many, when a call finds all of them busy. */
  readonly max: number;
  /** Milliseconds without a call after which one that is more than `min` is ended. Default: 10,000. */
  readonly idle_ms?: number | undefined;
}

/** Level of a line that a sandbox prints. */
export type ConsoleLevel = 'log' | 'info' | 'debug' | 'warn' | 'error';

/**
 * What one activation of a sandbox may use: a call, or what goes on after a host function's promise has settled. Beyond
 * any of them is `ERR_IPC_LIMIT`.
 */
export interface SandboxLimits {
  /** Of its stack, in KiB: 16 to 512, default 256. */
  readonly stackKb?: number | undefined;
  /** Printed by `console`. Default 64 KiB. */
  readonly outputBytes?: number | undefined;
  /** Calls of functions of the host. Default 100,000. */
  readonly hostCalls?: number | undefined;
  /** Promise jobs. Default 100,000. What is over it stays in the queue, so the task is ended. */
  readonly jobs?: number | undefined;
  /** Parts of one value that it sends: each property and each item is one or two. Default 1,000,000. */
  readonly parts?: number | undefined;
}

/** Directories that a wasm task may reach. */
export interface WasiFiles {
  /** Directories of the host, as paths or `file:` urls, by the names that the task sees: `{ '/data': './data' }`. */
  readonly preopens: Readonly<Record<string, string | URL>>;
  /** Nothing in them may be changed. Default false. */
  readonly readOnly?: boolean | undefined;
}

/** What a wasm task may use up. Going over is refused, or ends the task. */
export interface TaskLimits {
  /** Elements of each of its tables. Default, and most: 65,536. More at the start is refused; `table.grow` gives -1. */
  readonly table?: number | undefined;
  /** Activations on the stack under which it may call on. Default, and most: 64. Beyond: `ERR_IPC_LIMIT`. */
  readonly depth?: number | undefined;
  /** Calls that it may make in a second, of tasks and of granted functions. Default: any. Beyond: `ERR_IPC_LIMIT`. */
  readonly messages?: number | undefined;
  /**
   * Milliseconds that one call of it may take, its start included: a watchdog ends what takes longer, and the task with
   * it. Dearer than a call of a worker. Passive tasks of the main thread only; a worker has `timeout` and `onTimeout`.
   */
  readonly time?: number | undefined;
}

/** Options of `spawn`, `spawnSync` and `task`. */
export interface SpawnOptions {
  /** Default: `wasm` for a `.wasm` url, else `worker`. */
  readonly kind?: TaskKind | undefined;
  /** Registered with the name server, for `lookup`. A name in use is refused with `ERR_IPC_SPAWN_FAILED`. */
  readonly name?: string | undefined;
  /** When the supervisor starts the task again: default `never`. The stub goes on working, `id` changes. */
  readonly restart?: 'never' | 'on-failure' | 'always' | undefined;
  /** Default timeout of calls to this task, in milliseconds. Default: the system's. */
  readonly timeout?: number | undefined;
  /** What becomes of the task whose call timed out. `kill`: it is ended and replaced. Default `keep`. */
  readonly onTimeout?: 'keep' | 'kill' | undefined;
  /** Requests that are served at one time when handlers are async. */
  readonly concurrency?: number | undefined;
  /**
   * Starts several workers of the module behind one stub: a call goes to one that is free, and waits for the first that
   * is when none is. An instance is given `concurrency` calls at a time, by default 1.
   */
  readonly instances?: number | Instances | undefined;
  /** Functions of the spawner that the task may call, as `here.host.sync.f(…)`. */
  readonly host?: Readonly<Record<string, AnyFunction>> | undefined;
  /** Appended to the task's `process.argv`, as Node's `Worker` takes `argv`. */
  readonly args?: readonly unknown[] | undefined;
  /** The task's `process.env`; or Node's `SHARE_ENV`, a symbol. Default: a copy of this thread's. */
  readonly env?: Readonly<Record<string, string | undefined>> | symbol | undefined;
  readonly resourceLimits?: ResourceLimits | undefined;
  /** Node options of the worker. */
  readonly execArgv?: readonly string[] | undefined;
  /**
   * Of a wasm task: where its calls run. `passive` (default): on the caller's stack, one at a time. `jspi`: those by
   * `.async`, and of other agents, on stacks of their own, so that they can wait without holding the agent; as many at
   * one time as `concurrency` says, default 1. `worker`: in an agent of its own, the same as `kind: 'worker'`.
   */
  readonly thread?: 'passive' | 'jspi' | 'worker' | undefined;
  /**
   * What the memory of the task may grow to. Of a wasm task: `pages` of 64 KiB, default 4096. Of a sandbox (`engine`):
   * `mb`, in MiB, default 64; beyond it a call ends in `ERR_IPC_LIMIT`.
   */
  readonly memory?: { readonly pages?: number | undefined; readonly mb?: number | undefined } | undefined;
  /**
   * Runs a JavaScript or TypeScript module in QuickJS compiled to wasm, as a task of kind `wasm`: it sees its own
   * memory and what it was granted. Needs the package `quickjs-wasi`. `timeout` ends its calls wherever they are.
   */
  readonly engine?: 'quickjs' | undefined;
  /** Of a sandbox: what one activation of it may use. Of a wasm task: what else it may use up. */
  readonly limits?: (SandboxLimits & TaskLimits) | undefined;
  /**
   * Of a sandbox: what it may import, as texts by name, or a function that gives the text of a specifier and is told
   * who imports it. What it does not give (undefined) was not granted. Default: nothing.
   */
  readonly modules?:
    | Readonly<Record<string, string>>
    | ((specifier: string, referrer: string) => string | undefined)
    | undefined;
  /** Of a sandbox: where its `console` goes. `inherit` (default): to stdout and stderr, control characters shown. */
  readonly console?: 'inherit' | 'ignore' | ((level: ConsoleLevel, text: string) => void) | undefined;
  /**
   * Of a wasm task: what it may import, by module name: functions of the spawner, or a task whose functions it may
   * call. What else the module wants is refused by name.
   */
  readonly imports?: Readonly<Record<string, Readonly<Record<string, AnyFunction>> | Task>> | undefined;
  /**
   * Of a wasm task: `stdio` lets it print, read clocks and random bytes, and exit; `preopens` the same, and reach the
   * directories named there, through a file server of its own. Default `none`.
   */
  readonly wasi?: 'none' | 'stdio' | WasiFiles | undefined;
}

/** Options of `task`. */
export interface TaskOptions extends SpawnOptions {
  /**
   * One task of this name for the whole process, whoever asks first: also worker threads that somebody else has
   * started, if the main thread had said `task` with the same, or spawned a worker, before they were. It belongs to the
   * program, so it outlives who asked; `host` and `imports` are refused, `kill` is denied, `restart` is 'on-failure'
   * unless given. The options are those of whoever comes first.
   */
  readonly shared?: string | undefined;
}

/**
 * The callable half of a task. Both objects have a null prototype and plain functions: `const { add } = t.sync` works.
 * Without a module type both are `any` and not `Record<string, AnyFunction>`: under `noUncheckedIndexedAccess` each
 * call through an index signature is an error. Who wants that strictness gives the Record as the module type.
 */
export interface Stubs<T = any> {
  /** Blocks this thread until the answer is there. Throws `IpcError`, or the callee's own error. */
  readonly sync: IsAny<T> extends true ? any : Sync<T>;
  /** Leaves the event loop free. Rejects with what `sync` would throw. */
  readonly async: IsAny<T> extends true ? any : Async<T>;
}

/** How a task ended. */
export interface TaskExit {
  readonly code: number;
  /** A sentence: `killed`, `out of memory`, the message of an uncaught error. */
  readonly reason: string;
}

/** A task, seen by who may call it. Without a module type any name may be called, with anything, and gives `any`. */
export interface Task<T = any> extends Stubs<T> {
  /** The main thread of the task. Changes at a restart. */
  readonly id: ThreadId;
  /** As given to `spawn`, else made from the url. Does not change. */
  readonly name: string;
  readonly kind: TaskKind;
  /** False after the final exit; true while a restart is under way. */
  readonly alive: boolean;
  /**
   * Of a wasm task that this agent spawned: all of its linear memory, as it is now, for modules that take addresses and
   * state no letters. Read it anew after each call: a memory that has grown has another buffer. Undefined otherwise.
   */
  readonly memory?: Uint8Array | undefined;
  /** Settles at the final exit, when no restart follows. Never rejects. */
  readonly exited: Promise<TaskExit>;
  /** The same task under other call options. Costs as much as making the stubs: keep the result. */
  with(options: CallOptions): Stubs<T>;
  /** Ends the task for good; calls in flight get `ERR_IPC_PEER_GONE`. Resolves at its exit; twice is no error. */
  kill(): Promise<void>;
}

/** What a task is doing. `polling` waits to send, `waiting` waits for a reply, `receiving` waits for any request. */
export type TaskState = 'starting' | 'running' | 'receiving' | 'polling' | 'waiting' | 'dead';

/** A line of `system.tasks()`. */
export interface TaskInfo {
  readonly id: ThreadId;
  readonly name: string;
  /** `main` is the program that booted the system, `supervisor` the parent of its workers. */
  readonly kind: TaskKind | 'main' | 'supervisor';
  readonly state: TaskState;
  /** Whom it waits for, when it waits for one in particular. */
  readonly partner: ThreadId | undefined;
  /** Totals since the task was started, by name: `calls`, `replies`, `restarts` and so on. */
  readonly counts: Readonly<Record<string, number>>;
}

/** One kernel with its tasks. */
export interface System {
  readonly spawn: Spawn;
  readonly spawnSync: SpawnSync;
  /** A snapshot; nothing is stopped for it. */
  tasks(): TaskInfo[];
  /** Ends what the thread waits for with `ERR_IPC_ABORTED`, from any thread. False when it did not wait. */
  cancel(threadId: ThreadId): boolean;
  /** Ends every task, then the kernel. Calls in flight get `ERR_IPC_SHUTDOWN`. A second call waits for the first. */
  shutdown(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The task this code runs in. `Host` is the type of the functions that the spawner gave as `host`. */
export interface Here<Host = any> {
  readonly id: ThreadId;
  /** The task that spawned this one; undefined in the agent that booted the system. */
  readonly chief: ThreadId | undefined;
  /** Who sent the request being served. Read it before the first `await`: later reads throw. */
  readonly sender: ThreadId;
  /** Aborted when the request being served has no taker any more. Read it before the first `await`. */
  readonly signal: AbortSignal;
  /** The spawner's functions. */
  readonly host: Stubs<Host>;
  /** The same object. */
  readonly self: Here<Host>;
}

/** Starts a kernel; in an agent that has one, and in a worker of a process that has one, attaches to it. */
export type Boot = (options?: BootOptions) => Promise<System>;
export type BootSync = (options?: BootOptions) => System;

/** Starts a task. Rejects with `ERR_IPC_SPAWN_FAILED`, whose `cause` is the module's own error. */
export type Spawn = <T = any>(url: URL | string, options?: SpawnOptions) => Promise<Task<T>>;
/** The same, blocking this thread. */
export type SpawnSync = <T = any>(url: URL | string, options?: SpawnOptions) => Task<T>;
/** A task in the process-wide system, started by its first call, which throws what `spawn` would reject with. */
export type MakeTask = <T = any>(url: URL | string, options?: TaskOptions) => Task<T>;
/**
 * The task registered under a name; under that of a pool, all its instances. A name that nobody has is refused with
 * `ERR_IPC_NO_SUCH_THREAD`.
 */
export type Lookup = <T = any>(name: string) => Task<T>;
/** Marks a buffer, or the buffer of a view, to be transferred and not copied; it is detached here by the call. */
export type Move = <T extends ArrayBuffer | ArrayBufferView>(x: T) => T;

/** Any function. `any` and not `unknown`: a function of certain parameters is not assignable to one of unknown ones. */
export type AnyFunction = (...args: any[]) => any;

/**
 * The functions of a module type, to be called with this thread blocked. Classes, constants and types are dropped, so
 * that their use is the error "Property 'X' does not exist on type 'Sync<…>'". A default export is called `default`.
 */
export type Sync<T> = { readonly [K in keyof T as StubName<T, K>]: SyncFunction<T[K]> };

/** The functions of a module type, each returning a promise. What is dropped is as in `Sync`. */
export type Async<T> = { readonly [K in keyof T as StubName<T, K>]: AsyncFunction<T[K]> };

/**
 * A function as `.sync` calls it: promises in the result are awaited by the callee, so the caller gets their value. A
 * generator function gives an iterator, an asynchronous one too.
 *
 * The function's own type is kept, with its type parameters, overloads and documentation, if it returns no promise,
 * takes no `this`, and takes no callback whose result is a promise. Otherwise it is rebuilt:
 * - `this` is dropped; parameter names, optional and rest parameters stay.
 * - Callbacks return the awaited value: a promise made here could not settle while this thread is blocked.
 * - Of overloads the last six stay, and `unknown` in them is `any`, for it may be a forgotten type parameter.
 * - Type parameters are forgotten. The result is found again from the arguments of each call if it is an argument, its
 *   element, property, array, or the result of a callback (`FirstFit`); else it is `any`, never `unknown`. Type
 *   arguments can no longer be written out: annotate the variable.
 */
export type SyncFunction<F> = Stub<F, 'sync'>;

/**
 * A function as `.async` calls it: the result is one promise of the awaited value. A generator function gives an
 * asynchronous iterator at once.
 *
 * The function's own type is kept if every overload returns a promise, and it takes neither `this` nor callbacks.
 * Otherwise it is rebuilt as in `SyncFunction`, except that callbacks may return their value or a promise of it: the
 * callee's thread waits for the promise, this one does not. A generic function that returns promises is kept for its
 * type parameters, and so are its callbacks as declared.
 */
export type AsyncFunction<F> = Stub<F, 'async'>;

/** How a stub is called: decides what becomes of results and of callbacks. */
type Mode = 'sync' | 'async';

/** Names that a stub object refuses: asking for them is how JavaScript looks for a thenable or a prototype. */
type RefusedName = 'then' | 'constructor' | 'prototype' | '__proto__';

/** The name of an export that is a function, else never. A class has no call signature and is dropped with the rest. */
type StubName<T, K extends keyof T> = K extends RefusedName
  ? never
  : [T[K]] extends [never]
    ? never
    : T[K] extends AnyFunction
      ? K
      : never;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** Identity, not mutual assignability: `any` equals only `any`. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;

/** One overload taken apart. Type parameters are replaced by their constraints, `unknown` when they have none. */
type Signature = [args: any[], result: any];

type Stub<F, M extends Mode> =
  IsAny<F> extends true
    ? (...args: any[]) => M extends 'sync' ? any : Promise<any>
    : F extends AnyFunction
      ? StubOf<F, Signatures<F>, M>
      : never;

/**
 * The choice between keeping and rebuilding: kept when rebuilding changes no signature, or nothing but the callbacks of
 * a generic function, whose type parameters are worth more.
 */
type StubOf<F extends AnyFunction, S extends Signature[], M extends Mode> =
  HasThis<F> extends true
    ? Rebuilt<F, S, M>
    : Same<S, StubSignatures<S, M>> extends true
      ? HidesPromise<F, S> extends true
        ? Rebuilt<F, S, M>
        : F
      : [IsGeneric<F, S>, Same<S[0][1], Result<S[0][1], M>>] extends [true, true]
        ? F
        : Rebuilt<F, S, M>;

/** A single signature is tried as it is, then as generic; overloads are rebuilt one by one. */
type Rebuilt<F extends AnyFunction, S extends Signature[], M extends Mode> = S extends [
  [infer A extends any[], infer R],
]
  ? IsGeneric<F, S> extends false
    ? (...args: Arguments<A, M>) => Result<R, M>
    : IsDeclared<F, R> extends true
      ? (...args: Arguments<A, M, true>) => Result<R, M>
      : IsStream<R> extends true
        ? (...args: Arguments<A, M, true>) => Stream<KnownStream<R>, M>
        : <P extends Arguments<A, M, true>>(...args: P) => Result<ResultFor<F, P, R>, M>
  : Overloads<S, M>;

/** Whether G is as good as F, the properties of F left aside. */
type StandsFor<G, F> = G & Pick<F, keyof F> extends F ? true : false;

/** Type parameters matter exactly when the one signature without them cannot stand in for the function. */
type IsGeneric<F, S extends Signature[]> = S extends [[infer A extends any[], infer R]]
  ? StandsFor<(...args: A) => R, F> extends true
    ? false
    : true
  : false;

/** Whether R is the result of generic F for all arguments: no type parameter is in it, or F is a type predicate. */
type IsDeclared<F, R> = [R] extends [never]
  ? false
  : [R] extends [boolean | void]
    ? true
    : StandsFor<(...args: any) => R, F>;

type Overloads<S extends Signature[], M extends Mode> = S extends [
  [infer A extends any[], infer R],
  ...infer Rest extends Signature[],
]
  ? ((...args: Arguments<A, M, true>) => Result<Known<R>, M>) & Overloads<Rest, M>
  : unknown;

type StubSignatures<S extends Signature[], M extends Mode> = {
  [I in keyof S]: [Arguments<S[I][0], M>, Result<S[I][1], M>];
};

/** `Promise<Awaited<R>>` is R itself for an async function, so that `Same` finds nothing to change. */
type Result<R, M extends Mode> = [IsStream<R>] extends [true]
  ? Stream<R, M>
  : M extends 'sync'
    ? Awaited<R>
    : Promise<Awaited<R>>;

/**
 * Whether R is what a generator function gives, by any of the types that it may be declared with: Generator,
 * IterableIterator, Iterable, and the asynchronous ones. Arrays, strings and maps are more than Iterable, and no
 * iterators.
 */
type IsStream<R> =
  IsAny<R> extends true
    ? false
    : [R] extends [never]
      ? false
      : [R] extends [AsyncIterable<any, any, any>]
        ? IsBare<R, AsyncIterable<any, any, any>, AsyncIterator<any, any, any>>
        : [R] extends [Iterable<any, any, any>]
          ? IsBare<R, Iterable<any, any, any>, Iterator<any, any, any>>
          : false;

/** The values of a generic generator function may be of a forgotten type parameter. */
type KnownStream<R> =
  R extends AsyncIterable<infer T, infer E, infer N>
    ? AsyncGenerator<Known<T>, E, N>
    : R extends Iterable<infer T, infer E, infer N>
      ? Generator<Known<T>, E, N>
      : R;

type IsBare<R, Whole, Moving> = [R] extends [Moving] ? true : [Whole] extends [R] ? true : false;

/** A stream has all methods of a generator, and where R is one already it is kept. */
type Stream<R, M extends Mode> = M extends 'sync'
  ? R extends AsyncIterable<infer T, infer E, infer N>
    ? Generator<Awaited<T>, E, N>
    : R
  : R extends AsyncIterable<any, any, any>
    ? R
    : R extends Iterable<infer T, infer E, infer N>
      ? AsyncGenerator<Awaited<T>, E, N>
      : never;

/** A forgotten type parameter shows as `unknown`; the caller is better off with `any`. */
type Known<R> = unknown extends R
  ? any
  : R extends readonly unknown[]
    ? Same<R, unknown[]> extends true
      ? any[]
      : R
    : Same<R, Promise<unknown>> extends true
      ? Promise<any>
      : Same<R, Promise<unknown[]>> extends true
        ? Promise<any[]>
        : R;

/** The last six overloads in order. A function with fewer matches with its first repeated, which is taken off again. */
type Signatures<F> = F extends {
  (...args: infer A1): infer R1;
  (...args: infer A2): infer R2;
  (...args: infer A3): infer R3;
  (...args: infer A4): infer R4;
  (...args: infer A5): infer R5;
  (...args: infer A6): infer R6;
}
  ? WithoutRepeats<[[A1, R1], [A2, R2], [A3, R3], [A4, R4], [A5, R5], [A6, R6]]>
  : // A result such as T[K] has no constraint of its own, and fits one signature but not six.
    F extends (...args: infer A) => infer R
    ? [[A, R]]
    : never;

type WithoutRepeats<S extends Signature[]> = S extends [
  infer First,
  infer Second extends Signature,
  ...infer Rest extends Signature[],
]
  ? Same<First, Second> extends true
    ? WithoutRepeats<[Second, ...Rest]>
    : S
  : S;

/**
 * `<T>(x: T) => T | Promise<T>` without its type parameter returns `unknown`, which hides the promise. A function that
 * returns nothing but promises can stand in for it, and cannot for `<T>(x: T) => T`.
 */
type HidesPromise<F, S extends Signature[]> = [unknown extends S[0][1] ? true : false, IsGeneric<F, S>] extends [
  true,
  true,
]
  ? StandsFor<(...args: any) => Promise<never>, F>
  : false;

/** `unknown` is also what a function without a `this` parameter takes. */
type HasThis<F> = F extends (this: infer U, ...args: any) => any ? (unknown extends U ? false : true) : false;

/** No argument has this type, so that only a type parameter which the result alone mentions can become it. */
interface Impossible {
  readonly __brand: 'impossible';
}

/**
 * The result of generic F for arguments P. TypeScript cannot apply a function type to arguments and name the result,
 * but it can check `F extends (...args: P) => Guess`, and infers F's type parameters to do so. Each guess that passes
 * is a true statement about F; the first is taken. A type parameter that only the result mentions (`<T>(key: string) =>
 * T`) would make every guess pass, and is `any`.
 */
type ResultFor<F, P extends readonly any[], R> = F extends (
  ...args: P
) => MaybePromise<Impossible | Impossible[] | null | undefined>
  ? any
  : FirstFit<
      F,
      P,
      [
        P[0],
        P[1],
        P[2],
        P,
        Element<P[0]>,
        P[0][],
        Property<P[0], P[1]>,
        Returned<P[0]>,
        Returned<P[1]>,
        Returned<P[1]>[],
        P[0] & P[1],
        P[0] | undefined,
        Element<P[0]> | undefined,
        Returned<P[2]>,
        P[2][],
      ],
      Otherwise<Awaited<R>>
    >;

type FirstFit<F, P extends readonly any[], Guesses extends any[], Last> = Guesses extends [infer Guess, ...infer Rest]
  ? [Guess] extends [never]
    ? FirstFit<F, P, Rest, Last>
    : F extends (...args: P) => MaybePromise<Guess>
      ? Guess
      : FirstFit<F, P, Rest, Last>
  : Last;

/** A constraint such as `T extends string` is worth having; one that is an object may have lost a type parameter. */
type Otherwise<R> = [R] extends [never] ? any : [R] extends [Primitive] ? R : any;

type Primitive = string | number | bigint | boolean | null | undefined | void;
type MaybePromise<T> = T | PromiseLike<T>;
type Element<X> = X extends Iterable<infer E> ? (X extends string ? never : E) : never;
type Property<X, K> = K extends keyof X ? X[K] : never;
type Returned<X> = X extends (...args: any) => infer R ? Awaited<R> : never;

/**
 * Parameters as the caller gives them. A function is an upcall handle, as a parameter or as a property of an object
 * parameter (`{ importer: (url) => … }`); deeper ones travel as well but keep their declared type. Every change accepts
 * more than the declared type, or (sync callbacks) what the callee's `await` accepts. `Lost` says that the function had
 * type parameters: `unknown` may be one, and `never` is what is left of `K extends keyof T`.
 */
type Arguments<A extends readonly any[], M extends Mode, Lost extends boolean = false> = {
  [I in keyof A]: Argument<A[I], M, Lost>;
};

type Argument<P, M extends Mode, Lost extends boolean> = unknown extends P
  ? Lost extends true
    ? any
    : P
  : [P] extends [never]
    ? Lost extends true
      ? PropertyKey
      : P
    : P extends AnyFunction
      ? Callback<P, M, Lost>
      : P extends Opaque
        ? P
        : P extends object
          ? OptionsObject<P, M, Lost>
          : P;

/** Objects whose functions are methods of a built-in class, and constructors: nothing in them is a callback. */
type Opaque =
  | readonly unknown[]
  | (abstract new (...args: any) => any)
  | ArrayBufferLike
  | ArrayBufferView
  | Date
  | Error
  | RegExp
  | ReadonlyMap<any, any>
  | ReadonlySet<any>
  | PromiseLike<any>
  | AbortSignal;

type OptionsObject<P extends object, M extends Mode, Lost extends boolean> = {
  [K in keyof P]-?: Extract<P[K], AnyFunction>;
}[keyof P] extends never
  ? P
  : { [K in keyof P]: unknown extends P[K] ? P[K] : OptionValue<P[K], M, Lost> };

/** Distributes, so that the `undefined` of an optional property stays. */
type OptionValue<V, M extends Mode, Lost extends boolean> = V extends AnyFunction ? Callback<V, M, Lost> : V;

type Callback<F extends AnyFunction, M extends Mode, Lost extends boolean> = F extends (...args: infer A) => infer R
  ? Same<R, CallbackResult<R, M>> extends true
    ? Lost extends true
      ? (...args: KnownEach<A>) => Known<R>
      : F
    : (...args: Lost extends true ? KnownEach<A> : A) => CallbackResult<Lost extends true ? Known<R> : R, M>
  : never;

type KnownEach<A extends any[]> = { [I in keyof A]: Known<A[I]> };

/** A callback that returns nothing already accepts one that returns a promise, and `void | X` would accept less. */
type CallbackResult<R, M extends Mode> = [void] extends [R]
  ? R
  : M extends 'sync'
    ? Awaited<R>
    : Awaited<R> | Promise<Awaited<R>>;
