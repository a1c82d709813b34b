/**
 * `wasi: { preopens }`: the functions of WASI preview 1 that reach files. Each is a call of the task's file server
 * (files-server.ts), in the task's own name; here are only the numbers that the module knows its files by, and where in
 * a file it is. What the module states is checked and bounded here: a read or write moves 64 KiB at most, and the
 * module asks again, as WASI allows.
 *
 * Errors of the files are numbers to the module. A server that does not answer is an input/output error.
 */
import type { Task } from '../../rpc/types.ts';
import { agent } from '../../user/agent.ts';
import {
  DIRECTORY,
  ERRORS,
  type FilesApi,
  OPEN_APPEND,
  OPEN_CREATE,
  OPEN_EMPTY,
  OPEN_FOLLOW,
  OPEN_NEW,
  OPEN_READ,
  OPEN_WRITE,
  REGULAR,
  type Stat,
} from './files-server.ts';
import type { RawFunction, WasmTask } from './record.ts';
import { checkSpan, type Space, takeString, viewOf } from './space.ts';

/** The directories of a task, by the names that it sees, and who serves them. */
export interface Files {
  readonly names: readonly string[];
  readonly server: Task;
}

interface Open {
  readonly kind: number;
  /** Root and path of a directory. */
  readonly root: number;
  readonly path: string;
  /** Number of a file at the server. */
  readonly file: number;
  readonly reads: boolean;
  readonly writes: boolean;
  appends: boolean;
  position: number;
  /** What is in a directory, since it was last read from its beginning. */
  entries: readonly (string | number)[];
}

const FIRST = 3;
/** Directories count here alone. */
const OPEN_MAX = 1024;
const MOVE_MAX = 1 << 16;
const VECTORS_MAX = 1024;
const PATH_MAX = 4096;
const SUCCESS = 0;
const { EBADF, EINVAL, EIO, EISDIR, EMFILE, ENAMETOOLONG, ENOTCAPABLE, ENOTDIR } = ERRORS as Record<string, number>;

const RIGHT_READ = 2n;
const RIGHT_WRITE = 64n;
const ALL_RIGHTS = (1n << 30n) - 1n;
const O_CREATE = 1;
const O_DIRECTORY = 2;
const O_NEW = 4;
const O_EMPTY = 8;
const FLAG_APPEND = 1;

/** Thrown within a function of WASI, which then gives the number. */
class Errno extends Error {
  readonly number: number;
  constructor(number: number) {
    super(`error ${number}`);
    this.number = number;
  }
}

const fail = (number: number | undefined): never => {
  throw new Errno(number!);
};

/** Writes numbers into the task's memory. Addresses beyond it throw, which is the task's fault. */
const putNumber = (space: Space, address: number, value: number): void => {
  checkSpan(space, address, 4);
  viewOf(space).writeUInt32LE(value >>> 0, address >>> 0);
};
const putLong = (space: Space, address: number, value: number): void => {
  checkSpan(space, address, 8);
  viewOf(space).writeBigUInt64LE(BigInt(Math.max(0, Math.floor(value))), address >>> 0);
};

function putStat(space: Space, address: number, [kind, size, links, a_ms, m_ms, c_ms]: Stat): number {
  checkSpan(space, address, 64);
  const start = address >>> 0;
  viewOf(space).fill(0, start, start + 64);
  viewOf(space)[start + 16] = kind;
  putLong(space, start + 24, links);
  putLong(space, start + 32, size);
  [a_ms, m_ms, c_ms].forEach((time_ms, i) => putLong(space, start + 40 + 8 * i, time_ms * 1e6));
  return SUCCESS;
}

/** The parts of memory that vectors name, up to what is moved at once. */
function spansOf(space: Space, vectors: number, count: number): { address: number; length: number }[] {
  if (count >>> 0 > VECTORS_MAX) fail(EINVAL);
  checkSpan(space, vectors, count * 8);
  const spans = [];
  let left = MOVE_MAX;
  for (let i = 0; i < count && left > 0; i++) {
    const at = (vectors >>> 0) + i * 8;
    const address = viewOf(space).readUInt32LE(at);
    const stated = viewOf(space).readUInt32LE(at + 4);
    checkSpan(space, address, stated);
    const length = Math.min(stated, left);
    spans.push({ address, length });
    left -= length;
  }
  return spans;
}

const DIRENT_BYTES = 24;

/** Puts entries of a directory into memory from number `from` on, as far as there is room; gives the bytes used. */
function putEntries(
  space: Space,
  entries: readonly (string | number)[],
  from: number,
  at: number,
  room: number,
): number {
  let used = 0;
  for (let i = from; 2 * i < entries.length && used < room; i++) {
    const name = Buffer.from(entries[2 * i] as string);
    const record = Buffer.alloc(DIRENT_BYTES + name.length);
    record.writeBigUInt64LE(BigInt(i + 1), 0);
    record.writeUInt32LE(name.length, 16);
    record[20] = entries[2 * i + 1] as number;
    name.copy(record, DIRENT_BYTES);
    const length = Math.min(record.length, room - used);
    viewOf(space).set(record.subarray(0, length), at + used);
    used += length;
  }
  return used;
}

const join = (directory: string, path: string): string => (directory === '.' ? path : `${directory}/${path}`);

/** The files that one instance has open. */
class Table {
  readonly files: (Open | undefined)[] = [];
  readonly api: FilesApi;
  private readonly space: Space;
  private readonly names: readonly string[];

  constructor({ names, server }: Files, space: Space) {
    this.names = names;
    this.space = space;
    this.api = server.sync as FilesApi;
    names.forEach((_, root) => this.add({ ...CLOSED, kind: DIRECTORY, root, path: '.' }));
  }

  add(open: Open): number {
    let at = this.files.indexOf(undefined);
    if (at < 0) at = this.files.length;
    if (at >= OPEN_MAX) return fail(EMFILE);
    this.files[at] = open;
    return at + FIRST;
  }

  get(fd: number): Open {
    return this.files[fd - FIRST] ?? fail(EBADF);
  }

  regular(fd: number): Open {
    const open = this.get(fd);
    return open.kind === REGULAR ? open : fail(EISDIR);
  }

  /** Root and path that a directory and a path from it are. */
  place(fd: number, address: number, length: number): [root: number, path: string] {
    const { kind, root, path } = this.get(fd);
    if (kind !== DIRECTORY) fail(ENOTDIR);
    if (length >>> 0 > PATH_MAX) fail(ENAMETOOLONG);
    const wanted = takeString(this.space, address, length);
    // The server takes paths from a root only: what is absolute from here would not be there.
    if (wanted.startsWith('/') || wanted === '') fail(ENOTCAPABLE);
    return [root, join(path, wanted)];
  }

  /** What the server gave, unless it is an error. */
  check<T>(answer: T | number): T {
    return typeof answer === 'number' && answer < 0 ? fail(-answer) : (answer as T);
  }

  name(fd: number): Buffer {
    return Buffer.from(this.names[fd - FIRST] ?? fail(EBADF));
  }
}

const CLOSED: Open = {
  kind: 0,
  root: 0,
  path: '',
  file: 0,
  reads: false,
  writes: false,
  appends: false,
  position: 0,
  entries: [],
};

type Functions = Record<string, RawFunction>;

function openFunctions(table: Table, space: Space): Functions {
  const { api } = table;
  return {
    fd_prestat_get: (fd, address) => {
      const name = table.name(fd);
      putNumber(space, address, 0);
      putNumber(space, address + 4, name.length);
      return SUCCESS;
    },
    fd_prestat_dir_name: (fd, address, length) => {
      const name = table.name(fd);
      if (length >>> 0 < name.length) return ENAMETOOLONG;
      checkSpan(space, address, name.length);
      viewOf(space).set(name, address >>> 0);
      return SUCCESS;
    },
    path_open: (fd, lookup, path, length, how, rights, _inherited, flags, address) => {
      checkSpan(space, address, 4);
      const [root, place] = table.place(fd, path, length);
      const follows = (lookup & 1) !== 0;
      if ((how & O_DIRECTORY) !== 0 || isDirectory(table, root, place, follows, how)) {
        const [kind] = table.check<Stat>(api.statPath(root, place, follows));
        if (kind !== DIRECTORY) return ENOTDIR;
        putNumber(space, address, table.add({ ...CLOSED, kind, root, path: place }));
        return SUCCESS;
      }
      const [reads, writes] = [(rights & RIGHT_READ) !== 0n, (rights & RIGHT_WRITE) !== 0n];
      const appends = (flags & FLAG_APPEND) !== 0;
      let bits = (reads ? OPEN_READ : 0) | (writes ? OPEN_WRITE : 0) | (follows ? OPEN_FOLLOW : 0);
      if (appends && writes) bits |= OPEN_APPEND;
      if ((how & O_CREATE) !== 0) bits |= OPEN_CREATE;
      if ((how & O_NEW) !== 0) bits |= OPEN_NEW;
      if ((how & O_EMPTY) !== 0) bits |= OPEN_EMPTY;
      const file = table.check<number>(api.open(root, place, bits));
      putNumber(space, address, table.add({ ...CLOSED, kind: REGULAR, file, reads, writes, appends }));
      return SUCCESS;
    },
    fd_close: (fd) => {
      const { kind, file } = table.get(fd);
      table.files[fd - FIRST] = undefined;
      return kind === REGULAR ? -api.close(file) : SUCCESS;
    },
    fd_fdstat_get: (fd, address) => {
      const { kind, appends, reads, writes } = table.get(fd);
      checkSpan(space, address, 24);
      const start = address >>> 0;
      const view = viewOf(space);
      view.fill(0, start, start + 24);
      view[start] = kind;
      view.writeUInt16LE(appends ? FLAG_APPEND : 0, start + 2);
      const file = ALL_RIGHTS & ~(reads ? 0n : RIGHT_READ) & ~(writes ? 0n : RIGHT_WRITE);
      view.writeBigUInt64LE(kind === DIRECTORY ? ALL_RIGHTS : file, start + 8);
      view.writeBigUInt64LE(kind === DIRECTORY ? ALL_RIGHTS : 0n, start + 16);
      return SUCCESS;
    },
    fd_fdstat_set_flags: (fd, flags) => {
      table.get(fd).appends = (flags & FLAG_APPEND) !== 0;
      return SUCCESS;
    },
    fd_filestat_get: (fd, address) => {
      const open = table.get(fd);
      const stat = open.kind === REGULAR ? api.stat(open.file) : api.statPath(open.root, open.path, true);
      return putStat(space, address, table.check<Stat>(stat));
    },
    path_filestat_get: (fd, lookup, path, length, address) => {
      const [root, place] = table.place(fd, path, length);
      return putStat(space, address, table.check<Stat>(api.statPath(root, place, (lookup & 1) !== 0)));
    },
  };
}

/** A directory is opened by itself, for the server opens files only. One that is to be made is none. */
function isDirectory(table: Table, root: number, path: string, follows: boolean, how: number): boolean {
  if ((how & (O_CREATE | O_NEW | O_EMPTY)) !== 0) return false;
  const stat = table.api.statPath(root, path, follows) as Stat | number;
  return typeof stat !== 'number' && stat[0] === DIRECTORY;
}

function moveFunctions(table: Table, space: Space): Functions {
  const { api } = table;
  const read = (open: Open, vectors: number, count: number, position: number): number => {
    if (!open.reads) fail(EBADF);
    const spans = spansOf(space, vectors, count);
    const wanted = spans.reduce((sum, { length }) => sum + length, 0);
    const bytes = table.check<Uint8Array>(api.read(open.file, wanted, position));
    let from = 0;
    for (const { address, length } of spans) {
      viewOf(space).set(bytes.subarray(from, from + length), address);
      from += length;
    }
    return bytes.length;
  };
  const write = (open: Open, vectors: number, count: number, position: number): number => {
    if (!open.writes) fail(EBADF);
    const parts = spansOf(space, vectors, count).map(({ address, length }) =>
      Buffer.from(viewOf(space).subarray(address, address + length)),
    );
    return table.check<number>(api.write(open.file, new Uint8Array(Buffer.concat(parts)), position));
  };
  const offset = (value: bigint): number =>
    value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER) ? fail(EINVAL) : Number(value);
  return {
    fd_read: (fd, vectors, count, address) => {
      checkSpan(space, address, 4);
      const open = table.regular(fd);
      const moved = read(open, vectors, count, open.position);
      open.position += moved;
      putNumber(space, address, moved);
      return SUCCESS;
    },
    fd_pread: (fd, vectors, count, position, address) => {
      putNumber(space, address, read(table.regular(fd), vectors, count, offset(position)));
      return SUCCESS;
    },
    fd_write: (fd, vectors, count, address) => {
      checkSpan(space, address, 4);
      const open = table.regular(fd);
      if (open.appends) open.position = table.check<Stat>(api.stat(open.file))[1];
      const moved = write(open, vectors, count, open.position);
      open.position += moved;
      putNumber(space, address, moved);
      return SUCCESS;
    },
    fd_pwrite: (fd, vectors, count, position, address) => {
      putNumber(space, address, write(table.regular(fd), vectors, count, offset(position)));
      return SUCCESS;
    },
    fd_seek: (fd, by, whence, address) => {
      const open = table.regular(fd);
      if (whence < 0 || whence > 2) return EINVAL;
      const from = whence === 0 ? 0 : whence === 1 ? open.position : table.check<Stat>(api.stat(open.file))[1];
      const position = offset(BigInt(from) + by);
      putLong(space, address, position);
      open.position = position;
      return SUCCESS;
    },
    fd_tell: (fd, address) => {
      putLong(space, address, table.regular(fd).position);
      return SUCCESS;
    },
    fd_filestat_set_size: (fd, size) => {
      const open = table.regular(fd);
      return open.writes ? -api.resize(open.file, offset(size)) : EBADF;
    },
    fd_sync: (fd) => -api.sync(table.regular(fd).file),
    fd_datasync: (fd) => -api.sync(table.regular(fd).file),
  };
}

function directoryFunctions(table: Table, space: Space): Functions {
  const { api } = table;
  return {
    fd_readdir: (fd, address, length, cookie, usedAt) => {
      const open = table.get(fd);
      if (open.kind !== DIRECTORY) return ENOTDIR;
      checkSpan(space, address, length);
      checkSpan(space, usedAt, 4);
      if (cookie === 0n) open.entries = table.check<(string | number)[]>(api.list(open.root, open.path));
      const from = cookie < 0n || cookie > BigInt(open.entries.length) ? open.entries.length : Number(cookie);
      const room = Math.min(length >>> 0, MOVE_MAX);
      putNumber(space, usedAt, putEntries(space, open.entries, from, address >>> 0, room));
      return SUCCESS;
    },
    path_create_directory: (fd, path, length) => -api.makeDirectory(...table.place(fd, path, length)),
    path_remove_directory: (fd, path, length) => -api.removeDirectory(...table.place(fd, path, length)),
    path_unlink_file: (fd, path, length) => -api.unlink(...table.place(fd, path, length)),
    path_rename: (fd, path, length, newFd, newPath, newLength) =>
      -api.rename(...table.place(fd, path, length), ...table.place(newFd, newPath, newLength)),
  };
}

/**
 * The functions of WASI that reach files, for one instance. The three standard files are `plain`'s. Addresses beyond
 * the memory throw.
 */
export function fileImports(
  task: WasmTask,
  files: Files,
  plain: Functions,
  outside: (run: () => number) => number,
): Functions {
  const { space } = task;
  files.server.sync.reset();
  const table = new Table(files, space);
  const all = { ...openFunctions(table, space), ...moveFunctions(table, space), ...directoryFunctions(table, space) };
  return Object.fromEntries(
    Object.entries(all).map(([name, f]) => [
      name,
      (first: number, ...rest: unknown[]) => {
        if (first >>> 0 < FIRST) return plain[name]!(first, ...rest) as number;
        return outside(() => inItsName(task, () => f(first, ...rest) as number));
      },
    ]),
  );
}

/** Runs a function that calls the server in the name of the thread that asks. Gives the error's number. */
function inItsName(task: WasmTask, run: () => number): number {
  const outer = agent.current;
  agent.current = task.stacks?.current?.tcb ?? task.tcb;
  try {
    return run();
  } catch (error) {
    if (error instanceof Errno) return error.number;
    if (error instanceof RangeError) throw error;
    return EIO!;
  } finally {
    agent.current = outer;
  }
}
