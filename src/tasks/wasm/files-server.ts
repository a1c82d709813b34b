/**
 * The files of a wasm task: what a worker does that serves them. The wasm task itself, and its agent, need no file
 * system; whatever it asks for comes here by ipc, in its name. One server has the directories of one task and nothing
 * else to give.
 *
 * A path is taken within its root: `..` may not leave it, and neither may a symbolic link. The directory that a name
 * stands in is resolved first and must lie in the root; a last component that is a link is followed only if it leads
 * back into it. Links cannot be made from here, so that nobody who asks can change the answer in between.
 *
 * Functions answer with what was asked for, or with a number below zero: an error number of WASI.
 */
import { constants } from 'node:fs';
import * as fs from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** Kinds of files, as WASI numbers them. */
export const DIRECTORY = 3;
export const REGULAR = 4;
const SYMLINK = 7;
const OTHER = 0;

/** Bits of `open`. */
export const OPEN_READ = 1;
export const OPEN_WRITE = 2;
export const OPEN_APPEND = 4;
export const OPEN_CREATE = 8;
export const OPEN_NEW = 16;
export const OPEN_EMPTY = 32;
export const OPEN_FOLLOW = 64;

/** Files that one task may have open. */
const FILES_MAX = 64;

export const ERRORS: Record<string, number> = {
  EACCES: 2,
  EBADF: 8,
  EBUSY: 10,
  EEXIST: 20,
  EFBIG: 22,
  EINVAL: 28,
  EIO: 29,
  EISDIR: 31,
  ELOOP: 32,
  EMFILE: 33,
  ENAMETOOLONG: 37,
  ENOENT: 44,
  ENOSPC: 51,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  ENOTSUP: 58,
  EPERM: 63,
  EROFS: 69,
  EXDEV: 75,
  ENOTCAPABLE: 76,
};

/** Kind, size, links, and times in milliseconds: accessed, modified, changed. */
export type Stat = readonly [kind: number, size: number, links: number, a_ms: number, m_ms: number, c_ms: number];

class Refusal extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

const refuse = (code: string): never => {
  throw new Refusal(code);
};

/** What the function gives, or the number of its error below zero. */
function attempt<T>(run: () => T): T | number {
  try {
    return run();
  } catch (error) {
    return -(ERRORS[(error as { code?: string }).code ?? ''] ?? ERRORS['EIO']!);
  }
}

const kindOf = (stat: fs.Stats): number =>
  stat.isDirectory() ? DIRECTORY : stat.isFile() ? REGULAR : stat.isSymbolicLink() ? SYMLINK : OTHER;

const statOf = (stat: fs.Stats): Stat => [
  kindOf(stat),
  stat.size,
  stat.nlink,
  stat.atimeMs,
  stat.mtimeMs,
  stat.ctimeMs,
];

/** The functions of a server with these directories. */
export function filesServer(directories: readonly string[], readOnly: boolean): Record<string, unknown> {
  const roots = directories.map((directory) => fs.realpathSync(directory));
  const open = new Map<number, number>();
  let lastFile = 0;

  const isIn = (root: string, path: string): boolean =>
    path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
  /** The place of a path in the file system; what it stands in exists and lies in the root. */
  const placeOf = (index: number, path: string, follow: boolean): string => {
    const root = roots[index] ?? refuse('EBADF');
    if (path.startsWith('/') || path.includes('\0') || path === '') refuse('ENOTCAPABLE');
    const wanted = resolve(root, path);
    if (!isIn(root, wanted)) refuse('ENOTCAPABLE');
    if (wanted === root) return root;
    const parent = fs.realpathSync(dirname(wanted));
    if (!isIn(root, parent)) refuse('ENOTCAPABLE');
    const place = join(parent, basename(wanted));
    if (!follow || fs.lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return place;
    const target = fs.realpathSync(place);
    if (!isIn(root, target)) refuse('ENOTCAPABLE');
    return target;
  };
  const writable = (): void => {
    if (readOnly) refuse('EROFS');
  };
  /** A place whose name is to be changed: never a root itself. */
  const changeable = (index: number, path: string): string => {
    writable();
    const place = placeOf(index, path, false);
    return roots.includes(place) ? refuse('EBUSY') : place;
  };
  const descriptor = (file: number): number => open.get(file) ?? refuse('EBADF');
  const at = (position: number): number | null => (position < 0 ? null : position);

  return {
    /** Opens a file that is no directory; gives its number. */
    open(index: number, path: string, bits: number): number {
      return attempt(() => {
        if (open.size >= FILES_MAX) refuse('EMFILE');
        if ((bits & ~(OPEN_READ | OPEN_FOLLOW)) !== 0) writable();
        const place = placeOf(index, path, (bits & OPEN_FOLLOW) !== 0);
        const writes = (bits & OPEN_WRITE) !== 0;
        let flags = constants.O_NOFOLLOW | constants.O_NONBLOCK;
        flags |= writes ? ((bits & OPEN_READ) !== 0 ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
        if ((bits & OPEN_APPEND) !== 0) flags |= constants.O_APPEND;
        if ((bits & OPEN_CREATE) !== 0) flags |= constants.O_CREAT;
        if ((bits & OPEN_NEW) !== 0) flags |= constants.O_EXCL;
        if ((bits & OPEN_EMPTY) !== 0) flags |= constants.O_TRUNC;
        const fd = fs.openSync(place, flags, 0o666);
        const kind = kindOf(fs.fstatSync(fd));
        if (kind !== REGULAR) {
          fs.closeSync(fd);
          refuse(kind === DIRECTORY ? 'EISDIR' : 'ENOTSUP');
        }
        open.set(++lastFile, fd);
        return lastFile;
      });
    },
    close: (file: number): number =>
      attempt(() => {
        fs.closeSync(descriptor(file));
        open.delete(file);
        return 0;
      }),
    /** Closes all files: the task has a new instance, which knows of none. */
    reset(): void {
      for (const fd of open.values()) fs.closeSync(fd);
      open.clear();
    },
    read: (file: number, length: number, position: number): Uint8Array | number =>
      attempt(() => {
        const bytes = new Uint8Array(length);
        return bytes.subarray(0, fs.readSync(descriptor(file), bytes, 0, length, at(position)));
      }),
    write: (file: number, bytes: Uint8Array, position: number): number =>
      attempt(() => fs.writeSync(descriptor(file), bytes, 0, bytes.length, at(position))),
    stat: (file: number): Stat | number => attempt(() => statOf(fs.fstatSync(descriptor(file)))),
    statPath: (index: number, path: string, follow: boolean): Stat | number =>
      attempt(() => statOf(fs.lstatSync(placeOf(index, path, follow)))),
    resize: (file: number, size: number): number =>
      attempt(() => {
        writable();
        fs.ftruncateSync(descriptor(file), size);
        return 0;
      }),
    sync: (file: number): number =>
      attempt(() => {
        fs.fsyncSync(descriptor(file));
        return 0;
      }),
    /** Names and kinds of what is in a directory, one after the other. */
    list: (index: number, path: string): (string | number)[] | number =>
      attempt(() =>
        fs
          .readdirSync(placeOf(index, path, true), { withFileTypes: true })
          .flatMap((entry) => [
            entry.name,
            entry.isDirectory() ? DIRECTORY : entry.isFile() ? REGULAR : entry.isSymbolicLink() ? SYMLINK : OTHER,
          ]),
      ),
    makeDirectory: (index: number, path: string): number =>
      attempt(() => {
        fs.mkdirSync(changeable(index, path));
        return 0;
      }),
    removeDirectory: (index: number, path: string): number =>
      attempt(() => {
        fs.rmdirSync(changeable(index, path));
        return 0;
      }),
    unlink: (index: number, path: string): number =>
      attempt(() => {
        fs.unlinkSync(changeable(index, path));
        return 0;
      }),
    rename: (from: number, path: string, to: number, newPath: string): number =>
      attempt(() => {
        fs.renameSync(changeable(from, path), changeable(to, newPath));
        return 0;
      }),
  };
}

/** What the wasm task calls. */
export type FilesApi = Record<
  'open' | 'close' | 'reset' | 'read' | 'write' | 'stat' | 'statPath' | 'resize' | 'sync' | 'list' | Changes,
  (...args: any[]) => any
>;
type Changes = 'makeDirectory' | 'removeDirectory' | 'unlink' | 'rename';

/** The url of a server with these directories. */
const PROTOCOL = 'l3kernel-files:';

export const filesUrl = (directories: readonly string[], readOnly: boolean): URL =>
  new URL(`${PROTOCOL}${encodeURIComponent(JSON.stringify({ directories, readOnly }))}`);

/** The exports of a server by its url; null for any other url. */
export function filesServerAt({ protocol, pathname }: URL): Record<string, unknown> | null {
  if (protocol !== PROTOCOL) return null;
  const stated = JSON.parse(decodeURIComponent(pathname)) as { directories: string[]; readOnly: boolean };
  return filesServer(stated.directories, stated.readOnly);
}
