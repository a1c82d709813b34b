/**
 * A child whose pipes this thread reads and writes itself. What Node learns in its event loop is learnt otherwise: that
 * there is output by a read that does not wait, and how the child ended from /proc, where it stays until the loop has
 * taken notice of it. This is Linux's.
 *
 * Invariant: nothing is read by the event loop, whose reading is stopped before it begins, so that no byte is lost
 * between two calls.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { spinLoads } from '../../platform/spin-loads.ts';
import { drain } from '../settle.ts';
import type { Child, Event, ExitEvent, Options } from './child.ts';
import { clearTimeout, performance, setTimeout } from '../../platform/timers.ts';

const CHUNK_BYTES = 64 * 1024;
/** Looks in a row before the first sleep; on one core the child cannot answer while we look. */
const LOOKS = spinLoads > 0 ? 20 : 1;
const SLEEP_MIN_ms = 0.05;
const SLEEP_MAX_ms = 1;

interface Handle {
  readonly fd: number;
  readStop(): void;
}

const handleOf = (stream: object): Handle => (stream as { _handle: Handle })._handle;
const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
const sleeping = new Int32Array(new SharedArrayBuffer(4));

/** Runs what throws often, without a stack for each time. */
function withoutStack<T>(run: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The reading end of a pipe. */
class Output {
  isOver = false;
  private readonly stream: Readable;
  private readonly fd: number;

  constructor(stream: Readable) {
    const handle = handleOf(stream);
    handle.readStop();
    // Node empties the pipes of a child that has exited.
    stream.resume = () => stream;
    this.stream = stream;
    this.fd = handle.fd;
  }

  /** What is there now; null when nothing is. */
  read(): Buffer | null {
    if (this.isOver) return null;
    const bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    try {
      const length = withoutStack(() => readSync(this.fd, bytes));
      if (length > 0) return length === CHUNK_BYTES ? bytes : Buffer.from(bytes.subarray(0, length));
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return null;
    }
    this.isOver = true;
    return null;
  }

  close(): void {
    this.isOver = true;
    this.stream.destroy();
  }
}

/** The writing end of a pipe, with what it could not take yet. */
class Input {
  error: unknown = null;
  private readonly stream: ChildProcess['stdin'] & object;
  private readonly fd: number;
  private readonly waiting: Uint8Array[] = [];
  private isEnding = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(stream: ChildProcess['stdin'] & object) {
    this.stream = stream;
    this.fd = handleOf(stream).fd;
  }

  write(bytes: Uint8Array): void {
    const written = this.waiting.length > 0 ? 0 : this.attempt(bytes);
    if (written < bytes.length) this.waiting.push(bytes.slice(written));
    this.flushLater();
  }

  end(): void {
    this.isEnding = true;
    this.flush();
  }

  /** Writes what the pipe takes. */
  flush(): void {
    while (this.waiting.length > 0) {
      const bytes = this.waiting[0]!;
      const written = this.attempt(bytes);
      if (written < bytes.length) {
        this.waiting[0] = bytes.subarray(written);
        return;
      }
      this.waiting.shift();
    }
    if (this.isEnding) this.stream.destroy();
  }

  private attempt(bytes: Uint8Array): number {
    if (this.stream.destroyed) return bytes.length;
    try {
      return writeSync(this.fd, bytes);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return 0;
      const { code, errno } = error as NodeJS.ErrnoException;
      this.error = Object.assign(new Error(`write ${code}`), { code, errno, syscall: 'write' });
      return bytes.length;
    }
  }

  /** A program that does not come back to `next()` has an event loop that turns. */
  private flushLater(): void {
    if (this.waiting.length === 0 || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.flush();
      this.flushLater();
    }, SLEEP_MAX_ms);
  }

  close(): void {
    this.waiting.length = 0;
    if (this.timer !== null) clearTimeout(this.timer);
    this.stream.destroy();
  }
}

/** Of the names of a number Node uses the first: SIGABRT, not SIGIOT. */
const SIGNALS = new Map(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, number]) => [number, name as NodeJS.Signals]),
);

/** How a child ended that nobody has taken notice of yet; null while it runs. */
function exitInProc(pid: number): ExitEvent | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // The name of the program, in parentheses, may hold anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .trimEnd()
    .split(' ');
  if (fields[0] !== 'Z') return null;
  const status = Number(fields.at(-1));
  const signal = SIGNALS.get(status & 0x7f);
  return signal === undefined ? { type: 'exit', code: status >> 8 } : { type: 'exit', signal };
}

export class DirectChild implements Child {
  private readonly child: ChildProcess;
  private readonly input: Input | null = null;
  private readonly outputs: readonly { readonly type: 'stdout' | 'stderr'; readonly pipe: Output }[] = [];
  private readonly killAt_ms: number;
  private readonly killSignal: NodeJS.Signals | number | undefined;
  /** What was heard of it in the event loop. */
  private exit: ExitEvent | null = null;
  private error: { readonly error: unknown } | null = null;
  private readonly hasStarted: boolean = true;

  constructor(command: string, args: readonly string[], options: Options | undefined) {
    const child = spawn(command, args, { ...(options as object), stdio: 'pipe' });
    this.child = child;
    child.on('error', (error) => {
      this.error ??= { error };
    });
    child.on('exit', (code, signal) => {
      this.exit ??= signal === null ? { type: 'exit', code: code! } : { type: 'exit', signal };
    });
    this.killAt_ms = options?.timeout ? performance.now() + options.timeout : Number.POSITIVE_INFINITY;
    this.killSignal = options?.killSignal as NodeJS.Signals | number | undefined;
    if (child.pid === undefined) {
      this.hasStarted = false;
      return;
    }
    this.input = new Input(child.stdin);
    this.outputs = [
      { type: 'stdout', pipe: new Output(child.stdout) },
      { type: 'stderr', pipe: new Output(child.stderr) },
    ];
  }

  next(): Event {
    if (!this.hasStarted) return this.failedStart();
    let sleep_ms = SLEEP_MIN_ms;
    for (let looks = 1; ; looks++) {
      const event = this.look();
      if (event !== null) return event;
      if (looks < LOOKS && !this.outputs.every(({ pipe }) => pipe.isOver)) continue;
      const exit = this.exit ?? exitInProc(this.child.pid!);
      // What it wrote before it ended is there by now.
      if (exit !== null) return this.look() ?? exit;
      if (performance.now() > this.killAt_ms) this.kill(this.killSignal);
      Atomics.wait(sleeping, 0, 0, sleep_ms);
      sleep_ms = Math.min(1.5 * sleep_ms, SLEEP_MAX_ms);
    }
  }

  /** The first call throws why, the second says that it is over. */
  private failedStart(): Event {
    // Node says why in its next tick, which does not come while this thread is in here.
    if (this.error === null) drain?.();
    const { error } = this;
    if (error === null || this.exit !== null) return { type: 'exit' };
    this.exit = { type: 'exit' };
    throw error.error;
  }

  /** What can be had without waiting. */
  private look(): Event | null {
    const input = this.input!;
    input.flush();
    if (input.error !== null) {
      const { error } = input;
      input.error = null;
      throw error;
    }
    for (const { type, pipe } of this.outputs) {
      const data = pipe.read();
      if (data !== null) return { type, data };
    }
    return null;
  }

  write(bytes: Uint8Array): void {
    this.input?.write(bytes);
  }

  endInput(): void {
    this.input?.end();
  }

  kill(signal?: NodeJS.Signals | number): void {
    this.child.kill(signal);
  }

  close(): void {
    this.input?.close();
    for (const { pipe } of this.outputs) pipe.close();
  }
}
