/**
 * `wasi: 'stdio'`: as much of WASI preview 1 as a program needs that computes and prints. It can write to stdout and
 * stderr, read the clocks and random bytes, and exit; it has no arguments, no environment, no files and no sockets.
 * Every other function of preview 1 is there, for a linker names more than a program uses, and answers that it is not.
 *
 * `node:wasi` is not used: Node documents it as no security boundary. The implementations in JavaScript that are kept
 * in npm hold a file system of the guest's making in the host's heap without a bound, or make room there for as much
 * as the guest says it wants to read, which is a way out of the guest's memory limit. What is left without files is
 * small enough to be seen to be right; with `preopens` those of wasi-files.ts come before them.
 */
import { enter, leave } from './guard.ts';
import { Exit, gone, isGone, type RawFunction, type WasmTask } from './record.ts';
import { needRoom } from './room.ts';
import { checkSpan, type Space, viewOf } from './space.ts';
import { fileImports } from './wasi-files.ts';
import { performance } from '../../platform/timers.ts';

export const WASI_MODULE = 'wasi_snapshot_preview1';

const SUCCESS = 0;
const BAD_FILE = 8;
const INVALID = 28;
const NOT_THERE = 52;
const NO_SEEK = 70;

/** Bytes of one write, and of one line that is not ended: what is longer is cut into lines. */
const WRITE_MAX = 1 << 16;
const VECTORS_MAX = 1024;
const RANDOM_MAX = 1 << 16;
/** A character device, with the right to write. */
const CHARACTER_DEVICE = 2;
const RIGHT_WRITE = 64n;

const ABSENT =
  'fd_advise fd_allocate fd_datasync fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size ' +
  'fd_filestat_set_times fd_pread fd_pwrite fd_readdir fd_renumber fd_sync fd_tell path_create_directory ' +
  'path_filestat_get path_filestat_set_times path_link path_open path_readlink path_remove_directory path_rename ' +
  'path_symlink path_unlink_file poll_oneoff proc_raise sock_accept sock_recv sock_send sock_shutdown';

const isOutput = (file: number): boolean => file === 1 || file === 2;

/** Runs code of the host for a task that has not ended, with room on the stack, uninterrupted. */
type Outside = (run: () => number) => number;

function outsideOf(task: WasmTask): Outside {
  const { id: born } = task;
  return (run) => {
    if (isGone(task) || task.id !== born) throw gone(task, 'wasi');
    const isInside = leave();
    try {
      needRoom();
      return run();
    } finally {
      if (isInside) enter();
    }
  };
}

/** The functions of WASI for an instance: those of files are in front of the others where files were granted. */
export function wasiImports(task: WasmTask): Record<string, RawFunction> {
  const outside = outsideOf(task);
  const plain = plainImports(task, outside);
  return task.files === null ? plain : { ...plain, ...fileImports(task, task.files, plain, outside) };
}

/** The functions without files, for one task. Addresses beyond its memory throw, which is its fault and its end. */
function plainImports(task: WasmTask, outside: Outside): Record<string, RawFunction> {
  // Frames of an instance that has ended never see the memory of the next.
  const { space } = task;
  const at = (address: number, length: number): number => {
    checkSpan(space, address, length);
    return address >>> 0;
  };
  const put = (address: number, value: number): number => {
    viewOf(space).writeUInt32LE(value >>> 0, at(address, 4));
    return SUCCESS;
  };
  const putLong = (address: number, value: bigint): number => {
    viewOf(space).writeBigUInt64LE(value, at(address, 8));
    return SUCCESS;
  };
  const none = (count: number, size: number): number => put(count, 0) || put(size, 0);
  const absent = ABSENT.split(' ').map((name) => [name, () => NOT_THERE]);
  return {
    ...(Object.fromEntries(absent) as Record<string, RawFunction>),
    args_sizes_get: none,
    args_get: () => SUCCESS,
    environ_sizes_get: none,
    environ_get: () => SUCCESS,
    clock_res_get: (clock, address) => (clock > 1 ? INVALID : putLong(address, 1_000_000n)),
    clock_time_get: (clock, _precision, address) => {
      if (clock > 1) return INVALID;
      // Milliseconds, no finer: a fine clock measures the caches of others.
      return putLong(address, BigInt(Math.floor(clock === 0 ? Date.now() : performance.now())) * 1_000_000n);
    },
    fd_close: (file) => (file <= 2 ? SUCCESS : BAD_FILE),
    fd_fdstat_get: (file, address) => {
      if (file < 0 || file > 2) return BAD_FILE;
      const start = at(address, 24);
      const view = viewOf(space);
      view.fill(0, start, start + 24);
      view[start] = CHARACTER_DEVICE;
      if (isOutput(file)) view.writeBigUInt64LE(RIGHT_WRITE, start + 8);
      return SUCCESS;
    },
    fd_prestat_get: () => BAD_FILE,
    fd_prestat_dir_name: () => BAD_FILE,
    fd_read: (file, _vectors, _count, address) => (file === 0 ? put(address, 0) : BAD_FILE),
    fd_seek: (file) => (file <= 2 ? NO_SEEK : BAD_FILE),
    fd_write: (file, vectors, count, address) => {
      if (!isOutput(file)) return BAD_FILE;
      if (count < 0 || count > VECTORS_MAX) return INVALID;
      return outside(() => put(address, writeVectors(space, file, at(vectors, count * 8), count)));
    },
    proc_exit: (code) => {
      throw new Exit(code);
    },
    random_get: (address, length) => {
      if (length >>> 0 > RANDOM_MAX) return INVALID;
      const start = at(address, length);
      // Loaded when it is asked for: it takes longer to load than all of a task's own code.
      return outside(() => {
        process.getBuiltinModule('node:crypto').randomFillSync(viewOf(space), start, length);
        return SUCCESS;
      });
    },
    sched_yield: () => SUCCESS,
  };
}

/** Writes what the vectors name, up to a limit; the caller is told how much that was, and writes again. */
function writeVectors(space: Space, file: number, vectors: number, count: number): number {
  const parts: Buffer[] = [];
  let total = 0;
  for (let i = 0; i < count && total < WRITE_MAX; i++) {
    const view = viewOf(space);
    const address = view.readUInt32LE(vectors + i * 8);
    const length = view.readUInt32LE(vectors + i * 8 + 4);
    checkSpan(space, address, length);
    const taken = Math.min(length, WRITE_MAX - total);
    parts.push(Buffer.from(view.subarray(address, address + taken)));
    total += taken;
  }
  (file === 1 ? process.stdout : process.stderr).write(Buffer.concat(parts));
  return total;
}
