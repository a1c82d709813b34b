/**
 * Builds dist/: readable ES modules with the constants folded in, the scripts of workers as texts, and declarations.
 *
 * Order matters. The text that starts a worker (`#bootstrap`) must hold everything it needs, because `new Worker(text,
 * { eval: true })` is the one form that no bundler of a user can lose. So the main modules of workers are
 * bundled first, to CommonJS scripts, and those texts are then what `#bootstrap` resolves to in the main bundle. The
 * same scripts lie beside it as files, which start quicker (src/tasks/worker-files.ts). The entries share their common
 * modules as chunks: there is one kernel state in an agent, never two.
 *
 * Each file is written beside its target and renamed, so that a program which runs from dist/ never sees half a file.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { markBuilt, sourceHash } from './build-stamp.mjs';
import { fail, filesBelow, onDevelopmentNode, root } from './toolchain.mjs';

await onDevelopmentNode(import.meta.url);
// Not at the top: the bundler is there only after the installation, and wants a newer Node.
const { rolldown } = await import('rolldown');
const { checkBundle } = await import('./built.mjs');
const { importsOf, readSource } = await import('./source.mjs');

const dist = join(root, 'dist');
const entries = {
  index: 'src/index.ts',
  ipc: 'src/user/ipc.ts',
  clock: 'src/servers/clock/api.ts',
  cli: 'src/cli/main.ts',
  // The drop-ins keep their places, for their runners are found beside them.
  'compat/pool/runner': 'src/compat/pool/runner.ts',
  'compat/synckit/index': 'src/compat/synckit/index.ts',
  'compat/synckit/runner': 'src/compat/synckit/runner.ts',
  'compat/make-synchronized/index': 'src/compat/make-synchronized/index.ts',
  'compat/make-synchronized/runner': 'src/compat/make-synchronized/runner.ts',
  'compat/sync-message-port/index': 'src/compat/sync-message-port/index.ts',
  'compat/sync-child-process/index': 'src/compat/sync-child-process/index.ts',
  'compat/sync-child-process/runner': 'src/compat/sync-child-process/runner.ts',
  'compat/tinypool/index': 'src/compat/tinypool/index.ts',
  'compat/piscina/index': 'src/compat/piscina/index.ts',
  'unplugin/index': 'src/unplugin/index.ts',
  'unplugin/loader': 'src/unplugin/loader.ts',
  'unplugin/entry': 'src/unplugin/entry.ts',
};
/** What several entries share, in few files: Node takes a millisecond for each. */
const sharedChunks = [
  { name: 'base', test: /src\/platform\/(timers|spin-loads)\.ts$/, priority: 3 },
  { name: 'codec', test: /src\/rpc\/(move|codec|codec-.*|errors-codec|ipc-error)\.ts$/, priority: 2 },
  { name: 'ipc', test: /src\/((kernel|layout|platform|user|servers\/clock)\/|tasks\/module\.ts$)/, priority: 1 },
];
/** What workers evaluate, by role. */
const workerMains = {
  task: 'src/servers/task.ts',
  supervisor: ['src/servers/supervisor/first.ts', 'src/servers/supervisor/main.ts'],
};

/**
 * What the sources load when it is wanted is a part of the built files: a bundler of a user could lose it otherwise.
 * @type {import('rolldown').Plugin}
 */
const inlineSandbox = {
  name: 'inline-sandbox',
  load: (id) =>
    id === join(root, 'src/tasks/quickjs/lazy.ts')
      ? { code: "import * as host from './host.ts';\nexport const loadSandboxes = () => host;\n", moduleType: 'js' }
      : null,
};

/** @type {import('rolldown').InputOptions} */
const shared = {
  cwd: root,
  platform: 'node',
  external: [/^node:/],
  tsconfig: false,
  plugins: [inlineSandbox],
  optimization: { inlineConst: { mode: 'all', pass: 2 } },
  onLog(level, log, handler) {
    // An unresolved import or an `import.meta` in a script is a broken package, not a remark.
    handler(level === 'warn' ? 'error' : level, log);
  },
};

/**
 * Every worker parses its script anew, so that is made small. Functions and classes keep their names, which stacks and
 * profiles show.
 * @type {import('rolldown').OutputOptions['minify']}
 */
const small = {
  compress: { keepNames: { function: true, class: true } },
  mangle: { toplevel: true, keepNames: { function: true, class: true } },
  codegen: { removeWhitespace: true },
};

/** A self-contained script. @param {string} input */
async function bundleScript(input) {
  const bundle = await rolldown({ ...shared, input: join(root, input) });
  const { output } = await bundle.generate({ format: 'cjs', codeSplitting: false, exports: 'named', minify: small });
  await bundle.close();
  if (output.length !== 1) fail(`the worker script of ${input} is ${output.length} files; it must be one`);
  return output[0].code;
}

/** The supervisor's script is two: the first has run before the second asks for anything. */
async function bundleSupervisor() {
  const scripts = [];
  for (const input of workerMains.supervisor) scripts.push(`(() => {\n${await bundleScript(input)}})();\n`);
  return scripts.join('');
}

/**
 * The name of a script's file says what is in it: another file that happens to have its place is not taken for it.
 * @param {string} role
 * @param {string} text
 */
const fileNameOf = (role, text) =>
  `workers/${role}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}.cjs`;

/**
 * A module whose export are the texts, or where that can be short ones that load the files.
 * @param {Record<string, string>} texts
 * @param {Record<string, string>} names
 */
const textModule = (texts, names) => `import { preferFiles } from './worker-files.ts';
export const bootstrap = preferFiles(${JSON.stringify(texts)}, ${JSON.stringify(names)}, import.meta.url);
`;

/**
 * A module as it is quickest to load. An `import` of a builtin module makes Node ask that for everything it exports,
 * which loads what stands behind its getters too (of `node:fs`: promises, streams, the line editor): 5 ms in all.
 * `getBuiltinModule` gives what is wanted and nothing else. And one character beyond latin1 would double the text that
 * V8 has to read.
 * @param {string} code
 */
const quickToLoad = (code) =>
  code
    .replace(/^import (?:(?:\* as )?([\w$]+))?(?:, )?(\{[^}]*\})? from ("node:[^"]+");$/gm, (_, whole, names, module) =>
      [whole, names?.replaceAll(' as ', ': ')]
        .filter((name) => name !== undefined)
        .map((name) => `const ${name} = process.getBuiltinModule(${module});`)
        .join('\n'),
    )
    .replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * @param {Record<string, string>} bootstrap
 * @param {Record<string, string>} names
 */
async function bundleEntries(bootstrap, names) {
  const bootstrapPath = join(root, 'src/tasks/bootstrap.ts');
  const bundle = await rolldown({
    ...shared,
    input: entries,
    preserveEntrySignatures: 'allow-extension',
    plugins: [
      inlineSandbox,
      {
        name: 'inline-bootstrap',
        load: (id) => (id === bootstrapPath ? { code: textModule(bootstrap, names), moduleType: 'js' } : null),
      },
    ],
  });
  const { output } = await bundle.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    codeSplitting: { groups: sharedChunks },
  });
  await bundle.close();
  return output.filter((file) => file.type === 'chunk');
}

/**
 * What a declaration file imports, as it is named where it is shipped: the sources that the package's `imports` map
 * points to are not there, and `.ts` files are not either.
 * @param {string} inside the file, relative to the folder of the declarations
 * @param {string} name
 */
function shippedName(inside, name) {
  const { imports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const target = imports[name]?.default ?? imports[name];
  if (typeof target === 'string') {
    const path = posix.relative(posix.dirname(inside), target.replace('./src/', ''));
    return (path.startsWith('.') ? path : `./${path}`).replace(/\.ts$/, '.js');
  }
  return name.startsWith('.') ? name.replace(/\.ts$/, '.js') : name;
}

/** Declarations for what the entries reach. @param {string} outDir */
function emitDeclarations(outDir) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '--project', join(root, 'tsconfig.build.json'), '--outDir', outDir];
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) fail('tsc could not write the declarations, see above');
  for (const file of filesBelow(relative(root, outDir).replaceAll('\\', '/'))) {
    const source = readSource(file);
    const inside = relative(outDir, join(root, file)).replaceAll('\\', '/');
    let text = source.text;
    for (const { name, start, end } of importsOf(source).reverse()) {
      text = `${text.slice(0, start)}'${shippedName(inside, name)}'${text.slice(end)}`;
    }
    writeFileSync(join(root, file), text);
  }
}

/**
 * Moves every file of one folder to the other and removes what the other has more.
 * @param {string} from
 * @param {string} to
 */
function replaceTree(from, to) {
  const name = (/** @type {string} */ folder) => relative(root, folder).replaceAll('\\', '/');
  const fresh = filesBelow(name(from)).map((path) => path.slice(name(from).length + 1));
  for (const path of fresh) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    renameSync(join(from, path), join(to, path));
  }
  const kept = new Set(fresh);
  for (const path of filesBelow(name(to)).map((file) => file.slice(name(to).length + 1))) {
    if (!kept.has(path)) rmSync(join(to, path), { force: true });
  }
  rmSync(from, { recursive: true, force: true });
}

const hash = sourceHash();
const missing = [...Object.values(entries), ...Object.values(workerMains).flat()].filter(
  (path) => !existsSync(join(root, path)),
);
if (missing.length > 0) fail(`there is nothing to build from: ${missing.join(', ')} missing`);

const began_ms = performance.now();
const staging = mkdtempSync(join(root, 'node_modules', '.l3kernel-build-'));
process.on('exit', () => rmSync(staging, { recursive: true, force: true }));
const bootstrap = {
  task: await bundleScript(workerMains.task),
  supervisor: await bundleSupervisor(),
};
const names = Object.fromEntries(
  Object.entries(bootstrap).map(([role, text]) => [role, `./${fileNameOf(role, text)}`]),
);
const chunks = await bundleEntries(bootstrap, names);
const complaints = checkBundle(Object.values(bootstrap).join(''), chunks);
if (complaints.length > 0) fail(`the bundle breaks its own rules:\n  ${complaints.join('\n  ')}`);
for (const chunk of chunks) {
  mkdirSync(dirname(join(staging, chunk.fileName)), { recursive: true });
  writeFileSync(join(staging, chunk.fileName), quickToLoad(chunk.code));
}
mkdirSync(join(staging, 'workers'));
for (const [role, text] of Object.entries(bootstrap)) writeFileSync(join(staging, fileNameOf(role, text)), text);
chmodSync(join(staging, 'cli.js'), 0o755);
emitDeclarations(join(staging, 'types'));
replaceTree(staging, dist);
markBuilt(hash);
const bytes = chunks.reduce((sum, chunk) => sum + chunk.code.length, 0);
const took_ms = Math.round(performance.now() - began_ms);
process.stderr.write(`l3kernel: built ${chunks.length} files, ${Math.round(bytes / 1024)} KiB, in ${took_ms} ms\n`);
