/**
 * Where the inspection sockets of this user's systems are: Unix sockets in a directory that nobody else may enter, one
 * a system, named by process and supervisor thread. On Windows they are named pipes and there is no directory.
 *
 * The directory lies below os.tmpdir(), where anybody may make one first: it is used only if it is ours and closed.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

const onWindows = process.platform === 'win32';
const PIPES = '\\\\.\\pipe\\';

/** Whoever the systems belong to: other users' are not seen. */
const userName = (): string => (onWindows ? userInfo().username : String(process.getuid!()));

export const directory = (): string => (onWindows ? PIPES : join(tmpdir(), `l3kernel-${userName()}`));

const prefix = (): string => (onWindows ? `l3kernel-${userName()}-` : '');

/** The socket of the system whose supervisor is this thread of this process. */
export const addressOf = (pid: number, threadId: number): string =>
  `${directory()}${onWindows ? '' : '/'}${prefix()}${pid}.${threadId}.sock`;

/** Makes the directory. Throws when somebody else made it, or others may enter it. */
export function makeDirectory(): void {
  if (onWindows) return;
  try {
    mkdirSync(directory(), { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  checkDirectory();
}

function checkDirectory(): void {
  const stat = lstatSync(directory());
  if (!stat.isDirectory() || stat.uid !== process.getuid!() || (stat.mode & 0o077) !== 0) {
    throw new Error(`${directory()} is not a directory of this user that others may not enter`);
  }
}

/** Closes a socket file to everybody else: the mode it was made with depends on the umask. */
export function closeToOthers(address: string): void {
  if (!onWindows) chmodSync(address, 0o600);
}

export interface Address {
  readonly path: string;
  readonly pid: number;
}

/** The sockets there are; those of processes that have ended are removed on the way. Throws as `makeDirectory` does. */
export function listAddresses(): Address[] {
  const addresses: Address[] = [];
  for (const name of namesHere()) {
    const [, pid] = /^(\d+)\.\d+\.sock$/.exec(name.slice(prefix().length)) ?? [];
    if (pid === undefined || !name.startsWith(prefix())) continue;
    const path = join(directory(), name);
    if (isRunning(Number(pid))) addresses.push({ path, pid: Number(pid) });
    else removeAddress(path);
  }
  return addresses.sort((a, b) => a.pid - b.pid);
}

function namesHere(): string[] {
  try {
    if (!onWindows) checkDirectory();
    return readdirSync(directory());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes the file of a socket, if there is one. */
export function removeAddress(path: string): void {
  if (!onWindows) rmSync(path, { force: true });
}
