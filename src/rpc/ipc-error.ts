/**
 * The error of an ipc that did not end in a reply.
 *
 * What a callee throws arrives as itself; an `IpcError` always means that the system, not the callee's code, ended the
 * call. Programs decide by `code` (the list with its advice is `IpcErrorCode` in types.ts), people read the message,
 * which names the task and the method. Invariant: a detail that is not known is not a property, so that an inspected
 * error shows only what is known.
 */
import type { IpcErrorCode, IpcPhase } from './types.ts';

/** What is known of the call besides its code. */
export interface IpcErrorDetails {
  readonly phase?: IpcPhase | undefined;
  /** The task's name, or its thread id in text when it has none. */
  readonly task?: string | undefined;
  readonly method?: string | undefined;
  /** Milliseconds from the start of the call to its end. */
  readonly elapsed_ms?: number | undefined;
  /** The error or reason behind this one: of a module that did not load, an abort signal, a supervisor. */
  readonly cause?: unknown;
}

/** Names beyond this many are counted and not listed: a message is read in a terminal. */
const NAMES_LISTED_MAX = 24;

/** Longer names are not compared: the comparison is quadratic, and a name may come from a stranger. */
const NAME_COMPARED_LENGTH_MAX = 64;

export class IpcError extends Error {
  readonly code: IpcErrorCode;
  // `declare`, because a field would be an own property even where nothing is known.
  declare readonly phase: IpcPhase | undefined;
  declare readonly task: string | undefined;
  declare readonly method: string | undefined;
  declare readonly elapsed_ms: number | undefined;

  constructor(code: IpcErrorCode, message: string, details: IpcErrorDetails = {}) {
    // An error made with `cause: undefined` has a cause, and is printed with one.
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.phase !== undefined) this.phase = details.phase;
    if (details.task !== undefined) this.task = details.task;
    if (details.method !== undefined) this.method = details.method;
    if (details.elapsed_ms !== undefined) this.elapsed_ms = details.elapsed_ms;
  }
}

// A bundler may rename the class; people see its name.
Object.defineProperty(IpcError, 'name', { value: 'IpcError', configurable: true });
// On the prototype, as with the built-in errors: the stack's first line has the name, inspection does not repeat it.
Object.defineProperty(IpcError.prototype, 'name', { value: 'IpcError', configurable: true, writable: true });

/**
 * `ERR_IPC_NO_SUCH_METHOD` for a call of `method`, naming what the task exports and the name that was probably meant.
 * `exports` are the names of the task's functions.
 */
export function noSuchMethod(task: string, method: string, exports: readonly string[]): IpcError {
  const meant = nearestName(method, exports);
  const question = meant === undefined ? '' : `; did you mean '${meant}'?`;
  const message = `task '${task}' has no function '${shortened(method)}'${question || '.'} ${exportList(exports)}`;
  return new IpcError('ERR_IPC_NO_SUCH_METHOD', message, { phase: 'send', task, method });
}

function exportList(exports: readonly string[]): string {
  if (exports.length === 0) return 'It exports no functions.';
  const listed = exports.slice(0, NAMES_LISTED_MAX).map(shortened).join(', ');
  const more = exports.length - NAMES_LISTED_MAX;
  return more > 0 ? `It exports: ${listed} and ${more} more.` : `It exports: ${listed}.`;
}

function shortened(name: string): string {
  return name.length <= NAME_COMPARED_LENGTH_MAX ? name : `${name.slice(0, NAME_COMPARED_LENGTH_MAX)}…`;
}

/** The export that differs from `name` by case only, else by the fewest edits: at most a third of the name's length. */
function nearestName(name: string, exports: readonly string[]): string | undefined {
  if (name.length > NAME_COMPARED_LENGTH_MAX) return undefined;
  const wanted = name.toLowerCase();
  let nearest: string | undefined;
  let nearestEdits = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of exports) {
    if (Math.abs(candidate.length - name.length) >= nearestEdits) continue;
    const edits = editDistance(wanted, candidate.toLowerCase());
    if (edits < nearestEdits) {
      nearest = candidate;
      nearestEdits = edits;
    }
  }
  return nearest;
}

/**
 * Edits between two names: insert, delete, replace, and swap of neighbours, which is the commonest slip of a typist
 * and would count as two otherwise. Three rows of the usual table are enough for the swap.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let edits = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) edits = Math.min(edits, beforeLast[column - 2]! + 1);
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
