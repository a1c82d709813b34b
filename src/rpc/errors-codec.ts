/**
 * Thrown values on their way between tasks, and the error of the codec itself.
 *
 * The clone of an error loses its class, its code and its own properties; the error that a callee throws must arrive as
 * itself. So a thrown error becomes a *plain error*, a record that the codec can carry, and is made again on the other
 * side: name, message, stack, own enumerable properties, `cause` and, for an AggregateError, `errors`. Its constructor
 * is found among the global error kinds; an error of a class that the other side does not know is an Error with the
 * right name. A thrown value that is no error arrives as it is.
 *
 * Invariant: `errorToPlain` gives a value that can be encoded, whatever was thrown: what cannot be cloned is left out
 * and named under `notes`, chains of causes end at CHAIN_MAX, and nothing that the error's own code throws passes.
 */
import { types } from 'node:util';

/** An error of the codec: `ERR_IPC_NOT_CLONEABLE` at the sender, `ERR_IPC_PROTOCOL` at the receiver. */
export class CodecError extends Error {
  readonly code: 'ERR_IPC_NOT_CLONEABLE' | 'ERR_IPC_PROTOCOL' | 'ERR_IPC_OVERFLOW';
  constructor(code: CodecError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CodecError';
    this.code = code;
  }
}

/** The record that stands for an error; `mark` tells it from a thrown record. */
interface PlainError {
  [MARK]: 'error' | 'value';
  /** The global error kind whose prototype the error had, nearest first: `TypeError` for a subclass of it. */
  kind: string;
  /** Null when the error has none of its own. */
  name: string | null;
  message: string;
  stack: string | null;
  properties: Record<string, unknown>;
  hasCause: boolean;
  cause: unknown;
  errors: unknown[] | null;
  /** What was left out, one sentence each. */
  notes: string[];
}

/** The key that marks our records; a thrown value is wrapped in one, so that a stranger's look-alike stays a value. */
const MARK = '\u0000l3 error';
const CHAIN_MAX = 8;
const ERRORS_MAX = 64;
const PROPERTIES_MAX = 64;
const STACK_CHARACTERS_MAX = 64 * 1024;

/** Errors that are made again as what they were; others are an Error with their name. */
export const errorKinds: Readonly<Record<string, (new (message?: string) => Error) | undefined>> = {
  __proto__: null as never,
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Whether the codec may be asked for this value: the answer comes from a trial, for only an encoder knows. */
export type CanClone = (value: unknown) => boolean;

const canStructuredClone: CanClone = (value) => {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
};

/** What `read` gives, or undefined when the error's own code throws. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function isError(value: unknown): value is Error {
  return types.isNativeError(value) || attempt(() => value instanceof Error || value instanceof DOMException) === true;
}

function kindOf(error: Error): string {
  if (attempt(() => error instanceof DOMException)) return 'DOMException';
  let prototype = attempt(() => Object.getPrototypeOf(error) as object | null) ?? null;
  while (prototype !== null) {
    if (prototype === AggregateError.prototype) return 'AggregateError';
    for (const kind in errorKinds) if (errorKinds[kind]?.prototype === prototype) return kind;
    const next = prototype;
    prototype = attempt(() => Object.getPrototypeOf(next) as object | null) ?? null;
  }
  return 'Error';
}

const textOf = (value: unknown): string => attempt(() => String(value)) ?? '';

/**
 * A value that the codec can encode and that `plainToError` makes into what was thrown. Never throws.
 * `canClone` says whether a property can be encoded; without it, whether `structuredClone` takes it.
 */
export function errorToPlain(error: unknown, canClone: CanClone = canStructuredClone): unknown {
  return toPlain(error, canClone, new Map(), 0);
}

function toPlain(error: unknown, canClone: CanClone, seen: Map<unknown, unknown>, depth: number): unknown {
  if (!isError(error)) {
    if (error === null || (typeof error !== 'object' && typeof error !== 'symbol' && typeof error !== 'function'))
      return error;
    if (canClone(error)) return { [MARK]: 'value', value: error };
    const name = attempt(() => (error as object).constructor.name) ?? typeof error;
    return standIn(
      `a thrown ${typeof error === 'object' ? name : typeof error} that cannot be cloned: ${textOf(error)}`,
    );
  }
  const known = seen.get(error);
  if (known !== undefined) return known;
  const plain: PlainError = {
    [MARK]: 'error',
    kind: kindOf(error),
    name: null,
    message: '',
    stack: null,
    properties: {},
    hasCause: false,
    cause: undefined,
    errors: null,
    notes: [],
  };
  seen.set(error, plain);
  plain.name = attempt(() => (typeof error.name === 'string' ? error.name : null)) ?? null;
  plain.message = textOf(attempt(() => error.message) ?? '');
  const stack = attempt(() => error.stack);
  if (typeof stack === 'string') plain.stack = stack.slice(0, STACK_CHARACTERS_MAX);
  addProperties(plain, error, canClone);
  addChain(plain, error, canClone, seen, depth);
  return plain;
}

function standIn(message: string): PlainError {
  return {
    [MARK]: 'error',
    kind: 'Error',
    name: 'Error',
    message,
    stack: `Error: ${message}`,
    properties: {},
    hasCause: false,
    cause: undefined,
    errors: null,
    notes: [],
  };
}

const apart = new Set(['name', 'message', 'stack', 'cause', 'errors']);

function addProperties(plain: PlainError, error: Error, canClone: CanClone): void {
  const keys = (attempt(() => Object.keys(error)) ?? []).filter((key) => !apart.has(key));
  // A code can be a getter of the class (DOMException has one of its own) or not enumerable; people decide by it.
  const hasHiddenCode = plain.kind !== 'DOMException' && !keys.includes('code');
  if (hasHiddenCode && attempt(() => typeof (error as { code?: unknown }).code) === 'string') keys.push('code');
  if (keys.length > PROPERTIES_MAX) plain.notes.push(`${keys.length - PROPERTIES_MAX} properties were dropped`);
  for (const key of keys.slice(0, PROPERTIES_MAX)) {
    let value: unknown;
    try {
      value = (error as unknown as Record<string, unknown>)[key];
    } catch {
      plain.notes.push(`property ${key} was dropped: its getter throws`);
      continue;
    }
    if (!canClone(value)) plain.notes.push(`property ${key} was dropped: it cannot be cloned`);
    else Object.defineProperty(plain.properties, key, { value, writable: true, enumerable: true, configurable: true });
  }
}

function addChain(
  plain: PlainError,
  error: Error,
  canClone: CanClone,
  seen: Map<unknown, unknown>,
  depth: number,
): void {
  if (attempt(() => 'cause' in error)) {
    plain.hasCause = depth < CHAIN_MAX;
    if (plain.hasCause)
      plain.cause = toPlain(
        attempt(() => error.cause),
        canClone,
        seen,
        depth + 1,
      );
    else plain.notes.push('its cause was dropped: the chain is too long');
  }
  const errors = attempt(() => (error as AggregateError).errors) as unknown;
  if (!Array.isArray(errors) || (plain.kind !== 'AggregateError' && !Object.hasOwn(error, 'errors'))) return;
  if (depth >= CHAIN_MAX || errors.length > ERRORS_MAX) plain.notes.push('some of its errors were dropped');
  const kept = depth < CHAIN_MAX ? errors.slice(0, ERRORS_MAX) : [];
  plain.errors = kept.map((item) => toPlain(item, canClone, seen, depth + 1));
}

/** The thrown value that `errorToPlain` described. Never throws for what the other side may have sent. */
export function plainToError(plain: unknown): unknown {
  return fromPlain(plain, new Map(), 0);
}

function fromPlain(plain: unknown, made: Map<unknown, unknown>, depth: number): unknown {
  if (typeof plain !== 'object' || plain === null || !Object.hasOwn(plain, MARK)) return plain;
  const record = plain as Partial<PlainError> & { value?: unknown };
  if (record[MARK] === 'value') return record.value;
  const known = made.get(plain);
  if (known !== undefined) return known;
  const message = textOf(record.message ?? '');
  const error = makeError(textOf(record.kind), message, record.name);
  made.set(plain, error);
  hide(error, 'stack', typeof record.stack === 'string' ? record.stack : `${error.name}: ${message}`);
  if (typeof record.properties === 'object' && record.properties !== null) {
    for (const [key, value] of Object.entries(record.properties)) show(error, key, value);
  }
  if (depth > CHAIN_MAX) return error;
  if (record.hasCause === true) hide(error, 'cause', fromPlain(record.cause, made, depth + 1));
  if (Array.isArray(record.errors))
    hide(
      error,
      'errors',
      record.errors.map((item) => fromPlain(item, made, depth + 1)),
    );
  if (Array.isArray(record.notes) && record.notes.length > 0) show(error, 'notes', record.notes.map(textOf));
  return error;
}

function makeError(kind: string, message: string, name: unknown): Error {
  const limit = Error.stackTraceLimit;
  try {
    // The frames of this place say nothing; the callee's are put in their place.
    Error.stackTraceLimit = 0;
    if (kind === 'DOMException') return new DOMException(message, typeof name === 'string' ? name : 'Error');
    const error =
      kind === 'AggregateError' ? new AggregateError([], message) : new (errorKinds[kind] ?? Error)(message);
    if (typeof name === 'string' && name !== error.name) hide(error, 'name', name);
    return error;
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function hide(error: Error, key: string, value: unknown): void {
  attempt(() => Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true }));
}

function show(error: Error, key: string, value: unknown): void {
  attempt(() => Object.defineProperty(error, key, { value, writable: true, enumerable: true, configurable: true }));
}

/** The lines of a stack that are frames. */
function framesOf(stack: string): string {
  const first = stack.search(/^ {4}at /m);
  return first < 0 ? '' : stack.slice(first);
}

/**
 * Puts below the callee's frames the line `    at <ipc calleeLabel>` and the caller's frames. `callerStack` is the
 * `stack` of an error made at the call, with or without its first line. Gives the error; a thrown value that is none is
 * given as it is.
 */
export function joinStacks(error: unknown, calleeLabel: string, callerStack: string): unknown {
  if (!isError(error)) return error;
  const stack = attempt(() => error.stack);
  const own = typeof stack === 'string' ? stack.trimEnd() : `${error.name}: ${error.message}`;
  const below = framesOf(callerStack).trimEnd();
  hide(error, 'stack', `${own}\n    at <ipc ${calleeLabel}>${below === '' ? '' : `\n${below}`}`);
  return error;
}

/** Puts the frames of another stack below those of an error of our own. Gives the error. */
export function continueStack(error: unknown, callerStack: string): unknown {
  const below = framesOf(callerStack).trimEnd();
  if (below === '' || !isError(error)) return error;
  hide(error, 'stack', `${String(error.stack).trimEnd()}\n${below}`);
  return error;
}
