/**
 * The slate: a few shared words between a drop-in and the worker that it started, for what must be seen when no message
 * can say it: that there is output to replay, that a call has been given up, and how the worker ended.
 *
 * ```
 * word 0  OUTPUT    chunks of output that wait to be replayed; written by the worker
 * word 1  GIVEN_UP  number of the call whose caller has stopped waiting; written by the host, 0 for none
 * word 2  EXIT      exit code + 1, written by the worker as its first act of leaving; 0 while it lives
 * word 3  WORDS     length of the last words in bytes; written by the worker
 * then    the last words: the error that ends the worker, as `v8.serialize` writes it
 * ```
 *
 * Nobody waits on these words: the kernel wakes the host, which then looks at them.
 */
import { deserialize, serialize } from 'node:v8';

const OUTPUT = 0;
const GIVEN_UP = 1;
const EXIT = 2;
const WORDS = 3;
const HEADER_BYTES = 16;
const WORDS_BYTES_MAX = 32 * 1024;

export type Slate = SharedArrayBuffer;

interface Failure {
  readonly error: unknown;
  /** Own and inherited enumerable properties of the error, which a clone of it lacks. */
  readonly properties: object;
}

export const makeSlate = (): Slate => new SharedArrayBuffer(HEADER_BYTES + WORDS_BYTES_MAX);
const wordsOf = (slate: Slate): Int32Array => new Int32Array(slate, 0, HEADER_BYTES / 4);

/** The worker's side. */
export class SlateWriter {
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;

  constructor(slate: Slate) {
    this.words = wordsOf(slate);
    this.bytes = new Uint8Array(slate, HEADER_BYTES);
  }

  sayOutput(chunks: number): void {
    Atomics.store(this.words, OUTPUT, chunks);
  }

  isGivenUp(call: number): boolean {
    return Atomics.load(this.words, GIVEN_UP) === call;
  }

  sayExit(code: number): void {
    Atomics.store(this.words, EXIT, code + 1);
  }

  /** Leaves the error behind. One that is too long or cannot be cloned leaves its message. */
  sayError(error: unknown): void {
    const attempts = [
      () => serialize({ error, properties: propertiesOf(error) }),
      () => serialize({ error, properties: {} }),
      () => serialize({ error: new Error(String((error as Error | null)?.message ?? error)), properties: {} }),
    ];
    for (const attempt of attempts) {
      try {
        const words = attempt();
        if (words.length > WORDS_BYTES_MAX) continue;
        this.bytes.set(words);
        Atomics.store(this.words, WORDS, words.length);
        return;
      } catch {
        // The next attempt keeps less of it.
      }
    }
  }
}

function propertiesOf(error: unknown): object {
  const properties: Record<string, unknown> = {};
  if (typeof error !== 'object' || error === null) return properties;
  for (const name in error) properties[name] = (error as Record<string, unknown>)[name];
  return properties;
}

/** The host's side. */
export class SlateReader {
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;

  constructor(slate: Slate) {
    this.words = wordsOf(slate);
    this.bytes = new Uint8Array(slate, HEADER_BYTES);
  }

  hasOutput(): boolean {
    return Atomics.load(this.words, OUTPUT) !== 0;
  }

  giveUp(call: number): void {
    Atomics.store(this.words, GIVEN_UP, call);
  }

  /** The worker's exit code; undefined when it lives, or had no time to leave it. */
  exitCode(): number | undefined {
    const code = Atomics.load(this.words, EXIT);
    return code === 0 ? undefined : code - 1;
  }

  /** The error that ended the worker, in an object of its own, for it may be anything; undefined when it left none. */
  lastError(): { readonly error: unknown } | undefined {
    const length = Atomics.load(this.words, WORDS);
    if (length === 0) return undefined;
    const { error, properties } = deserialize(this.bytes.slice(0, length)) as Failure;
    return { error: typeof error === 'object' && error !== null ? Object.assign(error, properties) : error };
  }
}
