/**
 * The worker's side of a drop-in whose host is blocked while it calls: runs the handler, keeps what it prints, and
 * leaves on the slate how the worker ended.
 *
 * Invariant: a call ends if it can be known that no answer will come: by an error that nobody catches, or because the
 * worker would have ended by itself before it had a handler. A handler that waits is waited for, also when what it
 * waits for (an unref'd timer, `Atomics.waitAsync`) does not keep a loop alive.
 */
import { OutputKeeper } from './output.ts';
import { drain, isThenable, settle } from './settle.ts';
import { type Slate, SlateWriter } from './slate.ts';
import { setInterval } from '../platform/timers.ts';

/** A period that never ends: the timer exists to keep the loop alive. */
const FOREVER_ms = 2 ** 30;

export class Served {
  readonly output: OutputKeeper;
  private readonly slate: SlateWriter;
  private calls = 0;
  /** Rejects the calls under way. */
  private readonly pending = new Set<(error: unknown) => void>();
  private hasHandler = false;
  private readonly hold = setInterval(() => {}, FOREVER_ms).unref();

  /** `whyEnded` gives the error for the calls of a worker in which nothing is left to bring a handler. */
  constructor(slate: Slate, whyEnded: () => Error) {
    this.slate = new SlateWriter(slate);
    this.output = new OutputKeeper(this.slate);
    // First of all listeners: the next one tells the host that we are gone, and it looks at the slate then.
    process.prependListener('exit', (code) => this.slate.sayExit(code));
    process.on('uncaughtExceptionMonitor', (error) => this.onUncaught(error));
    process.prependListener('beforeExit', () => {
      if (!this.hasHandler && this.pending.size > 0) this.failPending(whyEnded());
    });
  }

  /** Says that this worker is to be replaced. */
  sayExit(code: number): void {
    this.slate.sayExit(code);
  }

  /** States that there is a handler: from now on a call may wait for anything. */
  begin(): void {
    this.hasHandler = true;
    this.holdWhilePending();
  }

  /** Runs a handler. A promise is given back only if it really waits. */
  run(handler: () => unknown): unknown {
    const call = ++this.calls;
    const result = settle(handler());
    return isThenable(result) ? this.later(call, result) : result;
  }

  private later(call: number, result: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.pending.add(reject);
      this.holdWhilePending();
      const end = (): void => {
        this.pending.delete(reject);
        this.holdWhilePending();
        if (this.slate.isGivenUp(call)) this.output.drop();
      };
      result.then(
        (value) => {
          end();
          resolve(value);
        },
        (error: unknown) => {
          end();
          reject(error as Error);
        },
      );
    });
  }

  private holdWhilePending(): void {
    if (this.hasHandler && this.pending.size > 0) this.hold.ref();
    else this.hold.unref();
  }

  private failPending(error: unknown): void {
    for (const reject of this.pending) reject(error);
    this.pending.clear();
    this.holdWhilePending();
  }

  /** With a listener of the user's the worker lives on, and the calls under way have failed; else it ends. */
  private onUncaught(error: unknown): void {
    if (process.listenerCount('uncaughtException') === 0) {
      this.slate.sayError(error);
      return;
    }
    this.failPending(error);
    // The listener may end the process at once.
    drain?.();
  }
}
