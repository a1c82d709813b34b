/**
 * The caller's side of a synchronous call, after the message has gone: serves the upcalls that come before the answer,
 * on this very thread, and gives the answer.
 */
import { poke, registers } from '#atomics';
import { now_ms } from '#wait';
import { replyAndReceiveFrom } from '../kernel/ipc-slow.ts';
import {
  ERROR,
  NEVER,
  OK,
  R_CALLED,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  RECEIVE_TIMEOUT,
  REPLY,
  type Result,
  TAG_KIND,
} from '../layout/message.ts';
import { UPCALL_DEPTH_MAX } from '../layout/params.ts';
import { type Tcb, TCB_TAG, type ThreadId } from '../layout/tcb.ts';
import type { ByteOptions } from './bytes.ts';
import { joinStacks } from './errors-codec.ts';
import { type Calling, failure, putThrown, takeThrown } from './failure.ts';
import { IpcError } from './ipc-error.ts';
import { takeResult, takeResultInto } from './payload.ts';
import { type Callbacks, serve } from './serve.ts';
import { outlived } from './successor.ts';

let depth = 0;

/** The answer to the call of `self` to `to` that ended with `code`; throws the callee's error, or an IpcError. */
export function awaitAnswer(
  self: Tcb,
  code: Result,
  to: ThreadId,
  calling: Calling,
  callbacks: Callbacks = null,
  bytes: ByteOptions | null = null,
): unknown {
  if (code === OK) {
    const tag = registers[R_TAG]!;
    if ((tag & TAG_KIND) === REPLY) return take(self, tag, calling, bytes);
    if ((tag & TAG_KIND) !== ERROR) return serveUpcalls(self, to, calling, callbacks, bytes);
    throw thrownBy(self, tag, calling);
  }
  throw failure(code, calling);
}

const take = (self: Tcb, tag: number, calling: Calling, bytes: ByteOptions | null): unknown =>
  bytes === null ? takeResult(self, tag) : takeResultInto(self, tag, bytes.placeFor(calling, true));

function serveUpcalls(
  self: Tcb,
  to: ThreadId,
  calling: Calling,
  callbacks: Callbacks,
  bytes: ByteOptions | null,
): unknown {
  const awaited = registers[R_CALLED]!;
  for (;;) {
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    const tag = serveOne(self, callbacks);
    // Who looks on sees again which call it is that waits.
    poke(self + TCB_TAG, calling.tag ?? 0);
    const code = replyAndReceiveFrom(self, from, sequence, tag, to, awaited, restOf(calling));
    if (code === RECEIVE_TIMEOUT) outlived(calling.taskId, calling.timeout_ms);
    if (code !== OK) throw failure(code, calling);
    const kind = registers[R_TAG]! & TAG_KIND;
    if (kind === REPLY) return take(self, registers[R_TAG]!, calling, bytes);
    if (kind === ERROR) throw thrownBy(self, registers[R_TAG]!, calling);
  }
}

/** What is left of the timeout of a call: its callbacks are part of it. */
const restOf = ({ timeout_ms, began_ms }: Calling): number =>
  timeout_ms > 0 ? Math.max(1, began_ms + timeout_ms - now_ms()) : NEVER;

function serveOne(self: Tcb, callbacks: Callbacks): number {
  if (depth >= UPCALL_DEPTH_MAX) {
    const error = new IpcError('ERR_IPC_LIMIT', `upcalls are nested more than ${UPCALL_DEPTH_MAX} deep`);
    return putThrown(error, 0);
  }
  depth++;
  try {
    return serve(self, callbacks, true);
  } finally {
    depth--;
  }
}

function thrownBy(self: Tcb, tag: number, calling: Calling): unknown {
  const thrown = takeThrown(self, tag);
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, awaitAnswer);
  return joinStacks(thrown, `${calling.task}.${calling.method}`, here.stack ?? '');
}
