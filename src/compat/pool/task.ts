/**
 * A task of a pool: what is to be called with what, and who wants to know.
 */
import { AsyncResource } from 'node:async_hooks';
import type { Symbols, Unpacked } from './movable.ts';
import { performance } from '../../platform/timers.ts';

/** An AbortSignal, or an event emitter that is used as one. */
export type AbortSignalAny =
  | {
      addEventListener(name: 'abort', listener: () => void, options?: { once: boolean }): void;
      removeEventListener(name: 'abort', listener: () => void): void;
      readonly aborted?: boolean;
      readonly reason?: unknown;
    }
  | { once(name: 'abort', listener: () => void): void; off(name: 'abort', listener: () => void): void };

export interface TaskSettings {
  readonly family: string;
  readonly symbols: Symbols;
  readonly unpacked: Unpacked;
  readonly transferList: readonly unknown[];
  readonly filename: string;
  readonly name: string;
  readonly signal: AbortSignalAny | null;
}

export class PoolTask extends AsyncResource {
  readonly filename: string;
  readonly name: string;
  readonly signal: AbortSignalAny | null;
  readonly promise: Promise<unknown>;
  readonly created_ms: number = performance.now();
  started_ms = 0;
  /** To be sent. */
  readonly value: unknown;
  readonly transfers: readonly unknown[];
  private readonly settle: { resolve(value: unknown): void; reject(error: unknown): void };
  private readonly onSettled: (task: PoolTask) => void;
  private onAbort: (() => void) | null = null;
  private isSettled = false;

  constructor(settings: TaskSettings, onSettled: (task: PoolTask) => void) {
    super(`${settings.family}.Task`, { requireManualDestroy: true });
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.filename = settings.filename;
    this.name = settings.name;
    this.signal = settings.signal;
    this.value = settings.unpacked.value;
    this.transfers = [...settings.unpacked.transfers, ...settings.transferList];
    this.promise = promise;
    this.settle = { resolve, reject };
    this.onSettled = onSettled;
    // A queue of the user's sorts by this.
    const { value } = this;
    const isObject = typeof value === 'object' && value !== null;
    const options: unknown = isObject ? (value as Record<symbol, unknown>)[settings.symbols.queueOptions] : undefined;
    Object.defineProperty(this, settings.symbols.queueOptions, { value: options ?? null });
  }

  /** Calls `action` if the signal is aborted before the task ends. */
  watchSignal(action: () => void): void {
    const { signal } = this;
    this.onAbort = action;
    if (signal === null) return;
    if ('addEventListener' in signal) signal.addEventListener('abort', action, { once: true });
    else signal.once('abort', action);
  }

  resolve(value: unknown): void {
    if (this.end()) this.settle.resolve(value);
  }

  reject(error: unknown): void {
    if (this.end()) this.settle.reject(error);
  }

  /** Of a queue that is given up. */
  cancel(): void {
    this.reject(new CancelError());
  }

  private end(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    const { signal, onAbort } = this;
    if (signal !== null && onAbort !== null) {
      if ('removeEventListener' in signal) signal.removeEventListener('abort', onAbort);
      else signal.off('abort', onAbort);
    }
    this.onSettled(this);
    this.emitDestroy();
    return true;
  }
}

export class AbortError extends Error {
  constructor(cause?: unknown) {
    super('The task has been aborted', cause === undefined ? undefined : { cause });
  }

  override get name(): string {
    return 'AbortError';
  }
}

class CancelError extends Error {
  constructor() {
    super('The task has been cancelled');
  }

  override get name(): string {
    return 'CancelError';
  }
}
