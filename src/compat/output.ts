/**
 * Output of a worker whose caller is blocked. Node passes what a worker prints to the parent's event loop, which does
 * not turn then; so it is kept in the worker and written by the caller when the call returns, in order with the
 * caller's own.
 */
import type { SlateWriter } from './slate.ts';

/** One write, as a stream gets it. */
export interface Chunk {
  readonly stream: 'stdout' | 'stderr';
  readonly chunk: Uint8Array | string;
  readonly encoding: BufferEncoding;
}

type Writev = (chunks: readonly Omit<Chunk, 'stream'>[], callback: (error?: Error | null) => void) => void;

/** From here on keeps what this worker prints. */
export class OutputKeeper {
  private chunks: Chunk[] = [];
  private readonly slate: SlateWriter;

  constructor(slate: SlateWriter) {
    this.slate = slate;
    for (const stream of ['stdout', 'stderr'] as const) {
      (process[stream] as unknown as { _writev: Writev })._writev = (written, callback) => {
        for (const { chunk, encoding } of written) this.chunks.push({ stream, chunk, encoding });
        this.slate.sayOutput(this.chunks.length);
        callback();
      };
    }
  }

  /** What was printed since the last time. */
  take(): Chunk[] {
    const { chunks } = this;
    this.drop();
    return chunks;
  }

  drop(): void {
    this.chunks = [];
    this.slate.sayOutput(0);
  }
}

export function replay(chunks: readonly Chunk[]): void {
  for (const { stream, chunk, encoding } of chunks) process[stream].write(chunk, encoding);
}
