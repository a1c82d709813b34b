/** Wasm tasks with files: WASI's directories, reached by ipc, and no way out of them. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Task } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { wasm, wat } from '../support/wat.ts';
import { ALLOC } from './fixtures/wat.ts';
import { rejectionOf, systemTest, thrownBy } from './support.ts';

const type = (name: string, params: string, result = 'i32'): string =>
  `(import "wasi_snapshot_preview1" "${name}" (func $${name} (param ${params}) (result ${result})))`;

/** WASI as functions over strings and bytes: a number below zero is an error. Room at 1024 is for answers. */
const FILES = `(module
  ${type('path_open', 'i32 i32 i32 i32 i32 i64 i64 i32 i32')}
  ${type('fd_close', 'i32')}
  ${type('fd_read', 'i32 i32 i32 i32')}
  ${type('fd_pread', 'i32 i32 i32 i64 i32')}
  ${type('fd_write', 'i32 i32 i32 i32')}
  ${type('fd_seek', 'i32 i64 i32 i32')}
  ${type('fd_tell', 'i32 i32')}
  ${type('fd_readdir', 'i32 i32 i32 i64 i32')}
  ${type('fd_prestat_get', 'i32 i32')}
  ${type('fd_prestat_dir_name', 'i32 i32 i32')}
  ${type('fd_fdstat_get', 'i32 i32')}
  ${type('fd_filestat_get', 'i32 i32')}
  ${type('fd_filestat_set_size', 'i32 i64')}
  ${type('fd_sync', 'i32')}
  ${type('path_filestat_get', 'i32 i32 i32 i32 i32')}
  ${type('path_create_directory', 'i32 i32 i32')}
  ${type('path_remove_directory', 'i32 i32 i32')}
  ${type('path_unlink_file', 'i32 i32 i32')}
  ${type('path_rename', 'i32 i32 i32 i32 i32 i32')}
  ${type('path_symlink', 'i32 i32 i32 i32 i32')}
  (memory (export "memory") 4)
  ${ALLOC}
  (func $value (param $error i32) (result i32)
    (if (result i32) (local.get $error) (then (i32.sub (i32.const 0) (local.get $error))) (else (i32.load (i32.const 1024)))))
  (func $vector (param $at i32) (param $length i32)
    (i32.store (i32.const 1032) (local.get $at)) (i32.store (i32.const 1036) (local.get $length)))
  (func (export "open__nsnnn_n") (param $dir i32) (param $at i32) (param $length i32) (param $how i32) (param $rights i32)
      (param $flags i32) (result i32)
    (call $value (call $path_open (local.get $dir) (i32.const 1) (local.get $at) (local.get $length) (local.get $how)
      (i64.extend_i32_u (local.get $rights)) (i64.const 0) (local.get $flags) (i32.const 1024))))
  (func (export "close") (param i32) (result i32) (call $fd_close (local.get 0)))
  (func (export "read__nn_b") (param $fd i32) (param $length i32) (result i32)
    (call $vector (i32.const 131072) (local.get $length))
    (i32.store (i32.const 1024) (i32.const 0))
    (drop (call $fd_read (local.get $fd) (i32.const 1032) (i32.const 1) (i32.const 1024)))
    (call $pair (i32.const 131072) (i32.load (i32.const 1024))))
  (func (export "readAt") (param $fd i32) (param $at i32) (result i32)
    (call $vector (i32.const 131072) (i32.const 4))
    (call $value (call $fd_pread (local.get $fd) (i32.const 1032) (i32.const 1) (i64.extend_i32_s (local.get $at)) (i32.const 1024))))
  (func (export "readWild") (param $fd i32) (param $at i32) (param $length i32) (result i32)
    (call $vector (local.get $at) (local.get $length))
    (call $value (call $fd_read (local.get $fd) (i32.const 1032) (i32.const 1) (i32.const 1024))))
  (func (export "vectors") (param $fd i32) (param $count i32) (result i32)
    (call $value (call $fd_read (local.get $fd) (i32.const 1032) (local.get $count) (i32.const 1024))))
  (func (export "write__nb_n") (param $fd i32) (param $at i32) (param $length i32) (result i32)
    (call $vector (local.get $at) (local.get $length))
    (call $value (call $fd_write (local.get $fd) (i32.const 1032) (i32.const 1) (i32.const 1024))))
  (func (export "seek") (param $fd i32) (param $by i32) (param $whence i32) (result i32)
    (call $value (call $fd_seek (local.get $fd) (i64.extend_i32_s (local.get $by)) (local.get $whence) (i32.const 1024))))
  (func (export "tell") (param $fd i32) (result i32) (call $value (call $fd_tell (local.get $fd) (i32.const 1024))))
  (func (export "list__nn_b") (param $fd i32) (param $from i32) (result i32)
    (drop (call $fd_readdir (local.get $fd) (i32.const 131072) (i32.const 4096) (i64.extend_i32_s (local.get $from)) (i32.const 1024)))
    (call $pair (i32.const 131072) (i32.load (i32.const 1024))))
  (func (export "preopen__n_b") (param $fd i32) (result i32)
    (if (i32.eqz (call $fd_prestat_get (local.get $fd) (i32.const 1024)))
      (then (drop (call $fd_prestat_dir_name (local.get $fd) (i32.const 131072) (i32.load (i32.const 1028)))))
      (else (i32.store (i32.const 1028) (i32.const 0))))
    (call $pair (i32.const 131072) (i32.load (i32.const 1028))))
  (func (export "kind") (param $fd i32) (result i32)
    (i32.store (i32.const 1024) (i32.const 0))
    (if (result i32) (i32.eqz (call $fd_fdstat_get (local.get $fd) (i32.const 1024)))
      (then (i32.load8_u (i32.const 1024))) (else (i32.const -1))))
  (func (export "size") (param $fd i32) (result i32)
    (if (result i32) (i32.eqz (call $fd_filestat_get (local.get $fd) (i32.const 2048)))
      (then (i32.load (i32.const 2080))) (else (i32.const -1))))
  (func (export "resize") (param i32 i32) (result i32)
    (call $fd_filestat_set_size (local.get 0) (i64.extend_i32_s (local.get 1))))
  (func (export "sync") (param i32) (result i32) (call $fd_sync (local.get 0)))
  (func (export "stat__s_n") (param i32 i32) (result i32)
    (if (result i32) (i32.eqz (call $path_filestat_get (i32.const 3) (i32.const 1) (local.get 0) (local.get 1) (i32.const 2048)))
      (then (i32.load8_u (i32.const 2064))) (else (i32.const -1))))
  (func (export "mkdir__s_n") (param i32 i32) (result i32) (call $path_create_directory (i32.const 3) (local.get 0) (local.get 1)))
  (func (export "rmdir__s_n") (param i32 i32) (result i32) (call $path_remove_directory (i32.const 3) (local.get 0) (local.get 1)))
  (func (export "unlink__s_n") (param i32 i32) (result i32) (call $path_unlink_file (i32.const 3) (local.get 0) (local.get 1)))
  (func (export "link__ss_n") (param i32 i32 i32 i32) (result i32)
    (call $path_symlink (local.get 0) (local.get 1) (i32.const 3) (local.get 2) (local.get 3)))
  (func (export "rename__ss_n") (param i32 i32 i32 i32) (result i32)
    (call $path_rename (i32.const 3) (local.get 0) (local.get 1) (i32.const 3) (local.get 2) (local.get 3))))`;

const files = wat(FILES);
const READ = 2;
const WRITE = 64;
const CREATE = 1;

/** A folder that a task may have, beside a secret. */
function inFolder(run: (folder: string, secret: string) => Promise<void>): Promise<void> {
  const top = mkdtempSync(join(tmpdir(), 'l3-files-'));
  const folder = join(top, 'given');
  mkdirSync(join(folder, 'deep'), { recursive: true });
  writeFileSync(join(folder, 'hello.txt'), 'hello, files');
  const secret = join(top, 'secret.txt');
  writeFileSync(secret, 'the secret');
  return run(folder, secret).finally(() => rmSync(top, { recursive: true }));
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

function namesIn(bytes: Uint8Array): string[] {
  const all = Buffer.from(bytes);
  const names: string[] = [];
  for (let at = 0; at < all.length;) {
    const length = all.readUInt32LE(at + 16);
    names.push(all.toString('utf8', at + 24, at + 24 + length));
    at += 24 + length;
  }
  return names.toSorted();
}

for (const [kind, thread] of [
  ['wasm', 'passive'],
  ['wasm', 'jspi'],
  ['worker', undefined],
] as const) {
  systemTest(`files: a task (${thread ?? kind}) reads and writes what it was given`, async (system) => {
    await inFolder(async (folder) => {
      const path = join(folder, 'module.wasm');
      writeFileSync(path, wasm(FILES));
      const wasi = { preopens: { '/data': folder } };
      const t: Task = await system.spawn(pathToFileURL(path), { kind, thread, wasi });
      const call = (name: string, ...args: unknown[]): Promise<any> => t.async[name](...args);
      assert.equal(text(await call('preopen', 3)), '/data');
      assert.equal(text(await call('preopen', 4)), '');
      const fd = await call('open', 3, 'hello.txt', 0, READ, 0);
      assert.equal(text(await call('read', fd, 5)), 'hello');
      assert.equal(text(await call('read', fd, 100)), ', files');
      assert.equal(await call('seek', fd, -5, 2), 7);
      assert.equal(await call('tell', fd), 7);
      assert.equal(text(await call('read', fd, 100)), 'files');
      assert.equal(await call('readAt', fd, 0), 4);
      assert.equal(await call('size', fd), 12);
      assert.deepEqual([await call('kind', fd), await call('kind', 3), await call('kind', 99)], [4, 3, -1]);
      assert.equal(await call('write', fd, new Uint8Array(1)), -8);
      assert.equal(await call('close', fd), 0);
      assert.equal(await call('close', fd), 8);
      const made = await call('open', 3, 'deep/made', CREATE, READ | WRITE, 0);
      assert.equal(await call('write', made, Buffer.from('one two')), 7);
      assert.equal(await call('resize', made, 3), 0);
      assert.equal(await call('sync', made), 0);
      assert.equal(readFileSync(join(folder, 'deep/made'), 'utf8'), 'one');
      const end = await call('open', 3, 'deep/made', 0, WRITE, 1);
      assert.equal(await call('write', end, Buffer.from('!')), 1);
      assert.equal(readFileSync(join(folder, 'deep/made'), 'utf8'), 'one!');
      assert.equal(await call('mkdir', 'new'), 0);
      assert.equal(await call('rename', 'deep/made', 'new/name'), 0);
      assert.equal(await call('stat', 'new/name'), 4);
      const deep = await call('open', 3, 'new', 2, READ, 0);
      assert.deepEqual(namesIn(await call('list', deep, 0)).length, 1);
      assert.deepEqual(namesIn(await call('list', 3, 0)), ['deep', 'hello.txt', 'module.wasm', 'new']);
      assert.equal(await call('open', deep, 'name', 0, READ, 0), deep + 1);
      assert.equal(await call('rmdir', 'new'), 55);
      assert.equal(await call('unlink', 'new/name'), 0);
      assert.equal(await call('rmdir', 'new'), 0);
      assert.equal(await call('open', 3, 'nothing', 0, READ, 0), -44);
    });
  });
}

systemTest('files: no path leads out', async (system) => {
  await inFolder(async (folder, secret) => {
    symlinkSync(secret, join(folder, 'out'));
    symlinkSync('..', join(folder, 'up'));
    symlinkSync('hello.txt', join(folder, 'within'));
    const t = await system.spawn(files, { kind: 'wasm', wasi: { preopens: { '.': folder } } });
    const paths = ['../secret.txt', secret, 'deep/../../secret.txt', 'out', 'up/secret.txt', 'deep/../up/secret.txt'];
    for (const path of [...paths, '..', '/', '', 'up', 'a\0b']) {
      const got = t.sync.open(3, path, 0, READ, 0);
      assert.ok(got === -76 || got === -44, `${path}: ${got}`);
      assert.equal(t.sync.stat(path), -1, path);
    }
    for (const path of ['../made', 'up/made']) assert.equal(t.sync.open(3, path, CREATE, WRITE, 0), -76);
    assert.equal(t.sync.mkdir('../made'), 76);
    assert.equal(t.sync.rename('hello.txt', '../stolen'), 76);
    assert.equal(t.sync.rename('up/secret.txt', 'mine'), 76);
    assert.equal(t.sync.link(secret, 'mine'), 52);
    assert.ok(existsSync(secret) && !existsSync(join(folder, '../made')));
    const within = t.sync.open(3, 'within', 0, READ, 0);
    assert.equal(text(t.sync.read(within, 5)), 'hello');
    assert.equal(t.sync.unlink('out'), 0);
    assert.equal(readFileSync(secret, 'utf8'), 'the secret');
    assert.equal(t.sync.rmdir('.'), 10);
    assert.equal(t.sync.open(3, 'x'.repeat(5000), 0, READ, 0), -37);
    assert.deepEqual(verify(), []);
  });
});

systemTest('files: what is read only stays, numbers are bounded, wild addresses end the task', async (system) => {
  await inFolder(async (folder) => {
    const wasi = { preopens: { '/': folder }, readOnly: true };
    const t = await system.spawn(files, { kind: 'wasm', wasi, restart: 'on-failure' });
    assert.equal(t.sync.open(3, 'hello.txt', 0, READ | WRITE, 0), -69);
    assert.equal(t.sync.open(3, 'made', CREATE, READ, 0), -69);
    assert.equal(t.sync.unlink('hello.txt'), 69);
    assert.equal(t.sync.mkdir('made'), 69);
    assert.equal(t.sync.rename('hello.txt', 'x'), 69);
    const opened = Array.from({ length: 70 }, () => t.sync.open(3, 'hello.txt', 0, READ, 0) as number);
    assert.deepEqual([opened[63]! > 0, opened[64]], [true, -33]);
    assert.equal(t.sync.vectors(opened[0], -1), -28);
    assert.equal(t.sync.vectors(opened[0], 1_000_000), -28);
    for (const [at, length] of [
      [-1, 1],
      [0, -1],
      [262_140, 8],
    ]) {
      const fd = t.sync.open(3, 'hello.txt', 0, READ, 0) as number;
      assert.match(
        thrownBy(() => t.sync.readWild(fd > 0 ? fd : opened[0], at, length)).message,
        /not within its memory/,
      );
    }
    // The next instance begins with no file open.
    assert.equal(t.sync.open(3, 'hello.txt', 0, READ, 0), 4);
    const server = system.tasks().filter(({ kind }) => kind === 'worker');
    assert.equal(server.length, 1);
    await t.kill();
    assert.equal(system.tasks().filter(({ kind }) => kind === 'worker').length, 0);
  });
});

systemTest('files: a directory that is not there is refused at spawn', async (system) => {
  const wasi = { preopens: { '/data': join(tmpdir(), 'l3kernel-nowhere') } };
  assert.equal((await rejectionOf(system.spawn(files, { kind: 'wasm', wasi }))).code, 'ERR_IPC_SPAWN_FAILED');
  const bad = { kind: 'wasm', wasi: {} } as any;
  assert.match((await rejectionOf(system.spawn(files, bad))).message, /wasi must be .*preopens/);
});
