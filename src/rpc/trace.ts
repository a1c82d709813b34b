/**
 * Calls as events of the tracing channel `l3kernel:call` of node:diagnostics_channel, for whoever subscribes in the
 * calling agent, at any time.
 *
 * It costs nothing without a subscriber. The channels are constants of this module, and `hasSubscribers` of a channel
 * that has none is a getter which gives `false`; the first subscription gives the channel another prototype. So V8
 * folds the whole question to `false` in optimised code, and throws that code away when somebody subscribes. That is
 * why the five channels are asked one by one: `TracingChannel.hasSubscribers` goes through private fields, which V8
 * does not fold. See docs/decisions/tracing.md.
 */
import { tracingChannel } from 'node:diagnostics_channel';
import type { Options, Target } from './call.ts';

/** What subscribers are given. `result` and `error` are there once the call has ended. */
export interface CallTrace {
  /** Name of the task that is called, and of its function. */
  readonly task: string;
  readonly method: string;
  readonly sync: boolean;
  readonly result?: unknown;
  readonly error?: unknown;
}

type Caller = (target: Target, method: number, name: string, options: Options, args: readonly unknown[]) => unknown;

const channel = tracingChannel<object, CallTrace>('l3kernel:call');
const { start, end, asyncStart, asyncEnd, error } = channel;

/** The trace itself makes the call now: it is not to be traced a second time. */
let isInside = false;

/** Whether a call that begins now has a subscriber. */
function isWanted(): boolean {
  if (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  ) {
    const wanted = !isInside;
    isInside = false;
    return wanted;
  }
  return false;
}

function callInside(caller: Caller, ...call: Parameters<Caller>): unknown {
  isInside = true;
  try {
    return caller(...call);
  } finally {
    // The last subscriber may have gone before the caller asked.
    isInside = false;
  }
}

/** Makes a call by `caller` between the events of its start and its end. */
function traceSync(caller: Caller, ...call: Parameters<Caller>): unknown {
  const [target, , method] = call;
  return channel.traceSync(() => callInside(caller, ...call), { task: target.name, method, sync: true });
}

/** As `traceSync`, for a call whose answer is a promise. */
function traceAsync(caller: Caller, ...call: Parameters<Caller>): Promise<unknown> {
  const [target, , method] = call;
  const begin = (): Promise<unknown> => callInside(caller, ...call) as Promise<unknown>;
  return channel.tracePromise(begin, { task: target.name, method, sync: false }) as Promise<unknown>;
}

/**
 * For whoever makes calls: if the call that begins now `isWanted`, it is to be made by `sync` or `async`, which come
 * back for it. To be kept in a constant of the caller's own module: the binding of an import is a variable to V8.
 */
export const callTrace = { isWanted, sync: traceSync, async: traceAsync };
