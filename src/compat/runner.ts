/**
 * The host's side of a drop-in that calls a worker with this thread blocked: a task whose module is the drop-in's own
 * runner, which then loads the user's module. What the kernel says of a call that did not end in an answer is turned
 * into what the users of the original know.
 *
 * The task is started at once, and waited for by the first call.
 */
import type { IpcError as KernelError, Task } from '../index.ts';
import { library, ownTask } from './kernel.ts';
import { outOfMemory } from './out-of-memory.ts';
import { type Chunk, replay } from './output.ts';
import { makeSlate, type Slate, SlateReader } from './slate.ts';

/** What a runner module exports. */
export interface RunnerModule {
  /** Loads the user's module, once. */
  open(start: RunnerStart): void;
  call(...args: unknown[]): unknown;
  takeOutput(): Chunk[];
}

export interface RunnerStart {
  readonly slate: Slate;
  readonly [name: string]: unknown;
}

export interface RunnerOptions {
  /** Given to `open`. Must be cloneable. */
  readonly start: Readonly<Record<string, unknown>>;
  /** Node options of the worker; without them it has those of this process. */
  readonly execArgv?: readonly string[];
  /** Milliseconds of a call; undefined for no limit. */
  readonly timeout: number | undefined;
  readonly errors: RunnerErrors;
}

/** What the users of the original get for what the kernel says. */
export interface RunnerErrors {
  timedOut(cause: Error): Error;
  /** An argument cannot be cloned. */
  notSent(cause: Error, args: readonly unknown[]): Error;
  /** The result cannot be cloned. */
  notReturned(cause: Error): Error;
}

type Calls = Pick<RunnerModule, 'call'>;

export class Runner {
  private readonly options: RunnerOptions;
  private readonly start: RunnerStart;
  private readonly task: Task<RunnerModule>;
  private readonly slate: SlateReader;
  private calling: Calls | null = null;
  private calls = 0;
  /** What ended the worker; every later call throws it again. */
  private failure: { readonly error: unknown } | null = null;

  constructor(module: URL, options: RunnerOptions) {
    const slate = makeSlate();
    this.options = options;
    this.start = { ...options.start, slate };
    this.slate = new SlateReader(slate);
    this.task = ownTask<RunnerModule>(module, { execArgv: options.execArgv });
    // Whether it starts is said by the first call.
    (this.task.async.open(this.start) as Promise<void>).catch(() => {});
  }

  /** Whether the worker has ended, or has said that it is to. */
  get isOver(): boolean {
    return this.failure !== null || this.slate.exitCode() !== undefined;
  }

  call(args: readonly unknown[]): unknown {
    if (this.failure !== null) throw this.failure.error;
    let isAnswered = true;
    try {
      this.calling ??= this.connect();
      this.calls++;
      return this.calling.call(...args);
    } catch (error) {
      isAnswered = !(error instanceof library().IpcError);
      throw this.translate(error, args);
    } finally {
      // Whoever did not answer would not answer this either.
      if (isAnswered && this.slate.hasOutput()) replay(this.task.sync.takeOutput() as Chunk[]);
    }
  }

  /** Ends the worker; no further call is made. */
  end(): void {
    void this.task.kill();
  }

  private connect(): Calls {
    // By itself it would be called from the event loop, which is blocked from here on.
    this.task.sync.open(this.start);
    const { timeout } = this.options;
    return (timeout === undefined ? this.task : this.task.with({ timeout })).sync as Calls;
  }

  private translate(error: unknown, args: readonly unknown[]): unknown {
    const { errors } = this.options;
    if (!(error instanceof library().IpcError)) {
      const isRefused = (error as { code?: unknown } | null)?.code === 'ERR_IPC_NOT_CLONEABLE';
      return isRefused ? errors.notReturned(error as Error) : error;
    }
    const kernelError = error as KernelError;
    switch (kernelError.code) {
      case 'ERR_IPC_NOT_CLONEABLE':
        this.calls--;
        return errors.notSent(kernelError, args);
      case 'ERR_IPC_TIMEOUT':
        // One that was never taken has no number at the other side.
        if (kernelError.phase === 'send') this.calls--;
        else this.slate.giveUp(this.calls);
        return errors.timedOut(kernelError);
      case 'ERR_IPC_PEER_GONE':
      case 'ERR_IPC_NO_SUCH_THREAD':
        this.failure = this.slate.lastError() ?? { error: this.exitError(kernelError) };
        return this.failure.error;
      case 'ERR_IPC_SPAWN_FAILED':
        this.failure = { error: kernelError.cause ?? kernelError };
        return this.failure.error;
      default:
        return kernelError;
    }
  }

  private exitError(cause: KernelError): Error {
    const code = this.slate.exitCode();
    if (code !== undefined) return new Error(`Worker exited with code ${code}`, { cause });
    return cause.message.includes('out of memory') ? outOfMemory(cause) : new Error('Worker was terminated', { cause });
  }
}

/** As `postMessage` says it. */
export function dataCloneError(cause: Error, message: string = cause.message): DOMException {
  const error = new DOMException(message, 'DataCloneError');
  Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true });
  return error;
}
