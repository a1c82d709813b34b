/** The rows of `l3 bench rivals`, as data: a program of programs.ts and the bytes of a call. */
export interface Row {
  readonly name: string;
  readonly program: string;
  readonly size: number;
  readonly method: string;
}

export const OURS = 'l3kernel.sync';

/** By how much the far side is reached, and whether the caller can wait for it in synchronous code. */
const TRANSPORTS: Readonly<Record<string, string>> = {
  'l3kernel.sync': 'a task in a worker, the caller blocks',
  'l3kernel.async': 'a task in a worker, awaited',
  postMessage: 'a worker, structured clones, awaited',
  'postMessage.transfer': 'a worker, the bytes transferred, awaited',
  receiveMessageOnPort: 'a worker, structured clones, the caller blocks in Atomics.wait',
  SharedArrayBuffer: 'a worker, shared bytes copied by hand, both block in Atomics.wait',
  pipe: 'another process, bytes over its standard streams, awaited',
  socket: 'another process, bytes over a Unix socket, awaited',
  child_process: 'another process, fork with advanced serialization, awaited',
  'child_process.json': 'another process, fork with JSON (a text of so many characters), awaited',
};

const PACKAGES: Readonly<Record<string, string>> = {
  synckit: 'createSyncFn, the caller blocks',
  'make-synchronized': 'a synchronized module, the caller blocks',
  'sync-message-port': 'both sides block on the port',
  comlink: 'a proxy, awaited',
  piscina: 'a pool of one thread, awaited',
  'piscina.atomics': "the same with atomics: 'sync'",
  tinypool: 'a pool of one thread, awaited',
  workerpool: 'a pool of one thread, awaited',
  birpc: 'over a message port, awaited',
};

/** Bytes each way; 0: two numbers there, their sum back. */
const SIZES = [8, 512, 4096, 65_536, 1_048_576, 67_108_864];

export const ROWS: readonly Row[] = [
  ...Object.entries({ ...TRANSPORTS, ...PACKAGES }).map(([program, method]) => ({
    name: `null.${program}`,
    program,
    size: 0,
    method,
  })),
  ...SIZES.flatMap((size) =>
    Object.entries(TRANSPORTS).map(([program, method]) => ({ name: `${size}.${program}`, program, size, method })),
  ),
];

/** The rows whose names begin with one of these words; all without a word. Throws for a word that begins none. */
export function selectRows(words: readonly string[]): readonly Row[] {
  const unknown = words.find((word) => !ROWS.some(({ name }) => name.startsWith(word)));
  if (unknown !== undefined) throw new Error(`no row '${unknown}'; they are null.NAME and BYTES.NAME`);
  return words.length === 0 ? ROWS : ROWS.filter(({ name }) => words.some((word) => name.startsWith(word)));
}
