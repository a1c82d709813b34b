/** The modules of the examples in C and AssemblyScript are those of their sources. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { boot } from '../../src/index.ts';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const inC = join(examples, '07-c');
const inAssemblyScript = join(examples, '06-assemblyscript');
const sources = [
  ...readdirSync(inC)
    .filter((name) => name.endsWith('.c'))
    .map((name) => [join(inC, name), join(inC, name.replace(/\.c$/, '.wasm'))] as const),
  [join(inAssemblyScript, 'assembly', 'spell.ts'), join(inAssemblyScript, 'spell.wasm')] as const,
];

const moduleOf = (path: string): WebAssembly.Module => new WebAssembly.Module(readFileSync(path));

/** The functions that a source exports. */
function exportedBy(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const names = [...text.matchAll(/^(?:export function |.*\bL3_EXPORT\()(\w+)/gm)].map(([, name]) => name!);
  // The allocator comes from the sdk.
  if (/^#define L3_MEMORY$|^export \{ l3_alloc \}/m.test(text)) names.push('l3_alloc');
  return names.sort();
}

for (const [source, built] of sources) {
  test(`${built.slice(examples.length)} exports what its source does`, () => {
    const functions = WebAssembly.Module.exports(moduleOf(built)).filter(({ kind }) => kind === 'function');
    assert.deepEqual(functions.map(({ name }) => name).sort(), exportedBy(source));
    assert.ok(exportedBy(source).length > 0);
    // The kernel's functions, and no others.
    for (const { module } of WebAssembly.Module.imports(moduleOf(built))) assert.equal(module, 'l3');
  });
}

/** Which compiler made a module, as it says itself. */
const makerOf = (path: string): string =>
  WebAssembly.Module.customSections(moduleOf(path), 'producers')
    .map((bytes) =>
      Buffer.from(bytes)
        .toString('latin1')
        .replace(/[^ -~]+/g, ' '),
    )
    .join();

const works = (command: string): boolean => spawnSync(command, ['--version']).status === 0;
const missing = ['clang', 'wasm-ld'].find((command) => !works(command));
const inNeedOfClang = { skip: missing !== undefined && `no ${missing}` };
/** The compiler that build.sh names; another would make other bytes. */
const asc_version = /assemblyscript@([\d.]+)/.exec(readFileSync(join(inAssemblyScript, 'build.sh'), 'utf8'))![1]!;
const asc = spawnSync('asc', ['--version'], { encoding: 'utf8' });
const inNeedOfAsc = {
  skip: !(asc.status === 0 && asc.stdout.includes(asc_version)) && `no asc of version ${asc_version}`,
};

function inFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'l3-sdk-'));
  try {
    run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the modules in C are built anew as they are', inNeedOfClang, (t) => {
  inFolder((folder) => {
    execFileSync(join(inC, 'build.sh'), [folder], { stdio: 'pipe' });
    for (const name of readdirSync(folder)) {
      const [anew, kept] = [join(folder, name), join(inC, name)];
      if (makerOf(anew) !== makerOf(kept)) {
        t.diagnostic(`${name} was kept by another compiler: ${makerOf(kept)}; here is ${makerOf(anew)}`);
        assert.deepEqual(WebAssembly.Module.exports(moduleOf(anew)), WebAssembly.Module.exports(moduleOf(kept)));
      } else assert.deepEqual(readFileSync(anew), readFileSync(kept), `${name}: run examples/07-c/build.sh`);
    }
    assert.equal(readdirSync(folder).length, sources.length - 1);
  });
});

test('the module in AssemblyScript is built anew as it is', inNeedOfAsc, () => {
  inFolder((folder) => {
    execFileSync(join(inAssemblyScript, 'build.sh'), [folder], { stdio: 'pipe', env: { ...process.env, ASC: 'asc' } });
    assert.deepEqual(readFileSync(join(folder, 'spell.wasm')), readFileSync(join(inAssemblyScript, 'spell.wasm')));
  });
});

test('what a task in C has taken is free again after each activation', async () => {
  const system = await boot();
  const lz4 = await system.spawn<{ pack(bytes: Uint8Array): Uint8Array }>(pathToFileURL(join(inC, 'lz4.wasm')));
  const bytes = Buffer.from('what is packed '.repeat(1000));
  const first = lz4.sync.pack(bytes);
  const { length } = lz4.memory!;
  for (let i = 0; i < 1000; i++) assert.deepEqual(lz4.sync.pack(bytes), first);
  assert.equal(lz4.memory!.length, length);
  await system.shutdown();
});

const OTHER = `export const one = (a) => a;
export const two = (a, b) => a + b;
export const three = (a, b, c) => a + b + c;
`;

const JOBS = `
let left = 4;
const answers = [];
export const take = () => --left || -1;
export const answer = (_, value) => void answers.push(value);
export const all = () => answers;
`;

const ALL_OF_IT = `
#define L3_MEMORY
#include "l3.h"
L3_IMPORT(host, name___s) l3_result name(void);
static l3_span kept;
uint32_t L3_EXPORT(keep__b_n)(const uint8_t *at, uint32_t length) {
  L3_ACTIVATION;
  kept.at = l3_keep(length);
  kept.length = length;
  memcpy(kept.at, at, length);
  return length;
}
l3_result L3_EXPORT(kept___b)(void) { return l3_give(kept.at, kept.length); }
l3_result L3_EXPORT(fixed___s)(void) { return L3_GIVE_TEXT("f\u00fcnf"); }
l3_result L3_EXPORT(name___s)(void) { L3_ACTIVATION; return name(); }
l3_result L3_EXPORT(room__n_b)(uint32_t length) {
  L3_ACTIVATION;
  uint8_t *at = l3_room(length);
  memset(at, 7, length);
  return l3_give(at, length);
}
static double twice(double request) { return 2 * request; }
int32_t L3_EXPORT(work)(void) {
  int32_t other = l3_task("other");
  return l3_serve(other, l3_method(other, "take"), l3_method(other, "answer"), twice);
}
double L3_EXPORT(sum)(void) {
  int32_t other = l3_task("other");
  return l3_call1(other, l3_method(other, "one"), 1) + l3_call2(other, l3_method(other, "two"), 1, 2) +
         l3_call3(other, l3_method(other, "three"), 1, 2, 3);
}
int32_t L3_EXPORT(missing)(void) { l3_call0(l3_task("other"), -1); return l3_status(); }
int32_t L3_EXPORT(isCalled)(void) { return l3_sender() != 0 && l3_sender() != l3_self(); }
void L3_EXPORT(end)(void) { l3_trap(); }
`;

test('all of l3.h does what it says', inNeedOfClang, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'l3-sdk-'));
  const system = await boot();
  try {
    const source = join(folder, 'all.c');
    writeFileSync(source, ALL_OF_IT);
    writeFileSync(join(folder, 'other.mjs'), `${OTHER}${JOBS}`);
    const flags = ['--target=wasm32', '-std=c11', '-O2', '-Wall', '-Werror', '-nostdlib', '-Wl,--no-entry'];
    const out = join(folder, 'all.wasm');
    execFileSync('clang', [...flags, '-I', join(examples, '../sdk/c'), '-o', out, source], { stdio: 'pipe' });
    const other = await system.spawn(pathToFileURL(join(folder, 'other.mjs')));
    const name = 'ein Name';
    const t = await system.spawn(pathToFileURL(out), { imports: { other }, host: { name: () => name } });
    assert.equal(t.sync.keep(Uint8Array.of(1, 2, 3)), 3);
    assert.equal(t.sync.fixed(), 'fünf');
    assert.equal(t.sync.name(), name);
    const { length } = t.memory!;
    for (let i = 0; i < 100; i++) assert.deepEqual(t.sync.room(60_000), new Uint8Array(60_000).fill(7));
    assert.ok(t.memory!.length <= length + 65_536, 'room is free again where nothing came in, too');
    assert.deepEqual(t.sync.kept(), Uint8Array.of(1, 2, 3));
    assert.equal(t.sync.sum(), 10);
    assert.equal(t.sync.work(), 3);
    assert.deepEqual(other.sync.all(), [6, 4, 2]);
    assert.equal(t.sync.missing(), 101);
    assert.equal(t.sync.isCalled(), 1);
    assert.throws(() => t.sync.end(), { code: 'ERR_IPC_PEER_GONE' });
  } finally {
    await system.shutdown();
    rmSync(folder, { recursive: true });
  }
});

const ALL_OF_IT_IN_AS = `
import * as l3 from '../sdk/as/l3';
export { l3_alloc } from '../sdk/as/l3';
export function reverse__b_b(address: usize, length: i32): usize {
  return l3.giveBytes(l3.takeBytes(address, length).reverse());
}
export function part__b_b(address: usize, length: i32): usize {
  return l3.giveBytes(l3.takeBytes(address, length).subarray(1, 3));
}
export function twice__s_s(address: usize, length: i32): usize {
  const text = l3.takeString(address, length);
  return l3.giveString(text + text);
}
export function sum(): f64 {
  const other = l3.task('other');
  return l3.call1(other, l3.method(other, 'one'), 1) + l3.call2(other, l3.method(other, 'two'), 1, 2);
}
export function work(): i32 {
  const other = l3.task('other');
  return l3.serve(other, l3.method(other, 'take'), l3.method(other, 'answer'), (request) => request * 2);
}
export function missing(): i32 {
  l3.call0(l3.task('nobody'), 0);
  return l3.status();
}
export function isCalled(): bool { return l3.sender() != 0 && l3.sender() != l3.self(); }
export function end(): void { assert(false); }
`;

test('all of l3.ts does what it says', inNeedOfAsc, async () => {
  // The compiler finds what is imported below its base folder only.
  const folder = mkdtempSync(join(examples, 'l3-sdk-'));
  const system = await boot();
  try {
    writeFileSync(join(folder, 'all.ts'), ALL_OF_IT_IN_AS.replaceAll('../sdk', '../../sdk'));
    writeFileSync(join(folder, 'other.mjs'), `${OTHER}${JOBS}`);
    const out = join(folder, 'all.wasm');
    const flags = ['--outFile', out, '-O3', '--runtime', 'incremental', '--use', 'abort='];
    const root = join(examples, '..');
    execFileSync('asc', [relative(root, join(folder, 'all.ts')), ...flags], { cwd: root, stdio: 'pipe' });
    const other = await system.spawn(pathToFileURL(join(folder, 'other.mjs')));
    const t = await system.spawn(pathToFileURL(out), { imports: { other }, memory: { pages: 16 } });
    const bytes = Uint8Array.from({ length: 50_000 }, (_, i) => i);
    for (let i = 0; i < 200; i++) assert.deepEqual(t.sync.reverse(bytes), bytes.toReversed());
    assert.deepEqual(t.sync.part(bytes), Uint8Array.of(1, 2));
    for (let i = 0; i < 200; i++) assert.equal(t.sync.twice('ü€𝄞'.repeat(1000)).length, 8000);
    assert.equal(t.sync.sum(), 4);
    assert.equal(t.sync.work(), 3);
    assert.deepEqual(other.sync.all(), [6, 4, 2]);
    assert.equal(t.sync.missing(), 101);
    assert.ok(t.sync.isCalled());
    assert.throws(() => t.sync.end(), { code: 'ERR_IPC_PEER_GONE' });
  } finally {
    await system.shutdown();
    rmSync(folder, { recursive: true });
  }
});
