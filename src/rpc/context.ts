/**
 * Context that goes with a call: what the program says by `boot({ context })`, and the W3C trace context where
 * OpenTelemetry's API is there. It travels as one more argument, the last, of a method whose number has a bit for it.
 *
 * Without either nothing is done, for whether there is one is asked when a stub is made, and the callee finds the bit
 * where it would else refuse the number.
 */
import type { CallContext } from './types.ts';

/** In the number of a method: the last argument is the context. */
export const METHOD_CONTEXT = 0x2000;

/** What is sent: the program's context, and the fields of the trace. */
type Sent = readonly [own: unknown, trace: Carrier | undefined];
type Carrier = Record<string, string>;

let own: CallContext | null = null;

export function setContext(context: CallContext | null): void {
  if (context !== null && (typeof context.capture !== 'function' || typeof context.run !== 'function')) {
    throw new TypeError('boot(): context must have the functions capture and run');
  }
  own = context;
}

/** As much of OpenTelemetry's API as is used here, as it leaves itself in an agent for all copies of its package. */
interface Telemetry {
  readonly context?: { active(): unknown; with<T>(context: unknown, run: () => T): T };
  readonly propagation?: {
    inject(
      context: unknown,
      carrier: Carrier,
      setter: { set(carrier: Carrier, key: string, value: string): void },
    ): void;
    extract(context: unknown, carrier: Carrier, getter: Getter): unknown;
  };
}

interface Getter {
  keys(carrier: Carrier): string[];
  get(carrier: Carrier, key: string): string | undefined;
}

const TELEMETRY = Symbol.for('opentelemetry.js.api.1');
const setter = { set: (carrier: Carrier, key: string, value: string): void => void (carrier[key] = value) };
const getter: Getter = { keys: (carrier) => Object.keys(carrier), get: (carrier, key) => carrier[key] };

/** OpenTelemetry, if somebody has set it up here: without a propagator there is nothing to carry. */
function telemetry(): Required<Telemetry> | null {
  const api = (globalThis as { [TELEMETRY]?: Telemetry })[TELEMETRY];
  return api?.context === undefined || api.propagation === undefined ? null : (api as Required<Telemetry>);
}

/** What captures the context of a call; null when there is none to carry. */
export function contextCapturer(): (() => Sent | undefined) | null {
  const program = own;
  const traced = telemetry();
  if (program === null && traced === null) return null;
  return () => {
    const value: unknown = program?.capture();
    let trace: Carrier | undefined;
    if (traced !== null) {
      const carrier: Carrier = {};
      traced.propagation.inject(traced.context.active(), carrier, setter);
      if (Object.keys(carrier).length > 0) trace = carrier;
    }
    return value === undefined && trace === undefined ? undefined : [value, trace];
  };
}

/** A handler whose last argument is the context in which it is to run. */
export function inContext(handler: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  return (...args) => {
    const [value, trace] = args.pop() as Sent;
    const call = (): unknown => handler(...args);
    const program = own;
    const inProgram = program === null || value === undefined ? call : (): unknown => program.run(value, call);
    const traced = telemetry();
    if (traced === null || trace === undefined) return inProgram();
    return traced.context.with(traced.propagation.extract(traced.context.active(), trace, getter), inProgram);
  };
}
