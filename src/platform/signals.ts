/**
 * SIGINT and SIGTERM of the process. A JavaScript handler runs in the event loop only: while the main thread is blocked
 * it would keep Ctrl-C from ending the process. So ours is there while the loop turns, and taken away before the thread
 * sleeps; the operating system's default then ends the process at once.
 *
 * Whoever has a handler of his own decides what the signal means: ours does nothing beside it, and is not there while
 * it runs, for some handlers (those of signal-exit) end the process only if they find no other.
 */
import { isMainThread } from 'node:worker_threads';
import { setImmediate } from './timers.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
export type Signal = (typeof SIGNALS)[number];

let onSignal: ((signal: Signal) => Promise<void>) | null = null;
let isArmed = false;
let isEnding = false;

function receive(signal: Signal): void {
  if (process.listenerCount(signal) > 1) {
    letSignalsThrough();
    return;
  }
  // The second one does not wait for what the first has begun.
  if (isEnding) {
    endBy(signal);
    return;
  }
  isEnding = true;
  void onSignal!(signal).finally(() => endBy(signal));
}

/** Ends the process as the signal does by default, so that its parent sees why. */
function endBy(signal: Signal): void {
  stopHandlingSignals();
  process.kill(process.pid, signal);
}

function arm(): void {
  if (isArmed || onSignal === null) return;
  isArmed = true;
  // Ahead of a user's handler: one that was made by `once` is no longer counted when it has run.
  for (const signal of SIGNALS) process.prependListener(signal, receive);
}

function disarm(): void {
  isArmed = false;
  for (const signal of SIGNALS) process.off(signal, receive);
}

/** States what is to be done before a signal ends the process. Only the main thread gets signals. */
export function handleSignals(action: (signal: Signal) => Promise<void>): void {
  if (!isMainThread) return;
  onSignal = action;
  arm();
}

export function stopHandlingSignals(): void {
  onSignal = null;
  isEnding = false;
  if (isArmed) disarm();
}

/** Called before this thread sleeps: until its loop turns again, signals do what they do by default. */
export function letSignalsThrough(): void {
  if (!isArmed) return;
  disarm();
  setImmediate(arm);
}
