/**
 * The console of a task: what it writes to `process.stdout` and `process.stderr`, and so by `console`, goes to the
 * process's own file descriptors at once, on the writing thread.
 *
 * Node sends the output of a worker through the event loop of its parent: it shows late or never while that is blocked,
 * and what is on its way when the process ends is lost. Here a line has been written when `console.log` returns. So the
 * lines of one task are in order, and all are there before anybody hears of its end.
 */
import { writeSync } from 'node:fs';

/** A chunk as a Writable hands it on. */
interface Chunk {
  readonly chunk: string | Uint8Array;
  readonly encoding: BufferEncoding | 'buffer';
}

/** Time between two tries to write to a pipe that is full. */
const FULL_PAUSE_ms = 1;
const nothing = new Int32Array(new SharedArrayBuffer(4));
/** Nobody reads any more: as for any program in a pipe, what it says is lost. */
const CLOSED: readonly (string | undefined)[] = ['EPIPE', 'EBADF', 'EIO'];

/** Writes all of it, however slowly it is read. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (CLOSED.includes(code)) return;
      if (code !== 'EAGAIN') throw error;
      // Only a wait that `terminate` can end: the reader may never come back.
      Atomics.wait(nothing, 0, 0, FULL_PAUSE_ms);
    }
  }
}

/**
 * Writes a line if there is room for it at once, for who must not wait: a pipe takes a line of this length whole or not
 * at all.
 */
export function writeLine(fd: number, line: string): void {
  try {
    writeSync(fd, `${line}\n`);
  } catch {
    // Nobody reads, or not now.
  }
}

function writeChunks(fd: number, chunks: readonly Chunk[]): void {
  const parts = chunks.map(({ chunk, encoding }) =>
    typeof chunk === 'string' ? Buffer.from(chunk, encoding as BufferEncoding) : chunk,
  );
  writeAll(fd, parts.length === 1 ? parts[0]! : Buffer.concat(parts));
}

/** The stream stays the one that Node gives a worker: only where its chunks go is another matter. */
function redirect(name: 'stdout' | 'stderr', fd: number): void {
  const given = Object.getOwnPropertyDescriptor(process, name)!;
  let stream: NodeJS.WriteStream | null = null;
  Object.defineProperty(process, name, {
    ...given,
    get() {
      if (stream !== null) return stream;
      stream = given.get!.call(process) as NodeJS.WriteStream;
      stream._writev = (chunks, done) => {
        writeChunks(fd, chunks);
        done();
      };
      return stream;
    },
  });
}

/** From now on this worker writes its output itself. */
export function writeInPlace(): void {
  redirect('stdout', 1);
  redirect('stderr', 2);
}
