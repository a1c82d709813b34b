/**
 * What every script of this folder stands on: the dependencies are installed and the right Node runs.
 *
 * The machine's own Node may be old, so development brings one: `scripts/node` is a local package whose optional
 * dependencies are the Node binaries of each platform. A binary that is a package needs no install script, so
 * everything is installed with `--ignore-scripts`. This file itself must run on an old Node (20).
 *
 * `npm ci` is not used: it refuses a lock file that lacks other platforms' optional packages, and a registry mirror
 * that does not carry those writes such a lock file. `npm install --no-save` keeps to the locked versions and checks
 * their integrity just the same, and leaves the lock file alone.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
/** @type {NodeJS.Signals[]} */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const installStamp = join(root, 'node_modules', '.l3kernel-install');

/** Ends the process with one clear sentence instead of a stack trace. @param {string} message @returns {never} */
export function fail(message) {
  process.stderr.write(`l3kernel: ${message}\n`);
  process.exit(1);
}

/** @param {...(string | Buffer)} parts */
export function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** The stamp's text, or '' when there is none. @param {string} path */
export function readStamp(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * All files below a folder of the repository, sorted, as paths relative to the root.
 * @param {string} folder
 * @returns {string[]}
 */
export function filesBelow(folder) {
  /** @type {string[]} */
  const found = [];
  if (!existsSync(join(root, folder))) return found;
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist') continue;
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...filesBelow(path));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/**
 * Whether node_modules holds what the lock file says, by npm's own record of what it put there. Optional packages may
 * be missing: most are another platform's.
 * @param {string} lock the text of package-lock.json
 */
function isInstalled(lock) {
  const record = readStamp(join(root, 'node_modules', '.package-lock.json'));
  if (record === '') return false;
  const present = JSON.parse(record).packages;
  return Object.entries(JSON.parse(lock).packages).every(
    ([path, wanted]) =>
      !path.startsWith('node_modules/') ||
      (present[path] ? present[path].version === wanted.version : wanted.optional === true),
  );
}

/** Installs the locked dependencies unless that was done for exactly this lock file. */
export function install() {
  const lock = join(root, 'package-lock.json');
  if (!existsSync(lock)) fail('package-lock.json is missing; is this a complete clone?');
  const text = readFileSync(lock, 'utf8');
  const wanted = digest(text);
  if (readStamp(installStamp) === wanted) return;
  if (isInstalled(text)) return writeFileSync(installStamp, wanted);
  process.stderr.write('l3kernel: installing the development dependencies (once per lock file)\n');
  const options = ['install', '--no-save', '--ignore-scripts', '--include=dev', '--include=optional'];
  options.push('--no-audit', '--no-fund', '--loglevel=error');
  // npm tells its scripts where it lives; without npm around us it is looked for on the path.
  const npm = process.env.npm_execpath?.endsWith('.js') ? process.env.npm_execpath : undefined;
  const result = npm
    ? spawnSync(process.execPath, [npm, ...options], { cwd: root, stdio: ['ignore', 2, 2] })
    : spawnSync('npm', options, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (result.error) fail(`npm could not be started (${result.error.message}); is it on the path?`);
  if (result.status !== 0) {
    const end = result.signal ?? `exit code ${result.status}`;
    fail(
      `npm ${options.join(' ')} failed with ${end}, see its message above.\n` +
        'The npm registry is needed once; after that everything here works offline. Check the network and try again.',
    );
  }
  writeFileSync(installStamp, wanted);
}

/** The Node that development runs on: the installed binary, else the running one when it is new enough. */
export function developmentNode() {
  const { platform, arch } = process;
  const system = platform === 'win32' ? 'win' : platform;
  for (const name of [`node-${system}-${arch}`, `node-bin-${system}-${arch}`]) {
    const path = join(root, 'node_modules', name, 'bin', platform === 'win32' ? 'node.exe' : 'node');
    if (existsSync(path)) return path;
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  return fail(
    `there is no Node binary package for ${platform}-${arch}, and the running Node ${process.version} is too old.\n` +
      'Put Node 22.18 or newer on the path.',
  );
}

/**
 * Runs a program on the development Node; resolves to its exit code, and passes on the signals that end us.
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>}
 */
export function runNode(args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(developmentNode(), args, { cwd: root, stdio: 'inherit', ...options });
    let isEnding = false;
    /** @param {NodeJS.Signals} signal */
    const passOn = (signal) => {
      isEnding = true;
      // The terminal sends Ctrl-C to the child too.
      if (signal !== 'SIGINT') child.kill(signal);
    };
    for (const signal of endings) process.on(signal, passOn);
    // npm starts a script by a shell, which dies of npm's SIGTERM and does not pass it on; so its end is looked for.
    const parent = process.ppid;
    const watch = process.env.npm_lifecycle_event
      ? setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 250)
      : undefined;
    child.on('error', (error) => fail(`${args.join(' ')}: ${error.message}`));
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      for (const ending of endings) process.off(ending, passOn);
      const exitCode = signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1);
      if (isEnding) process.exit(exitCode);
      resolve(exitCode);
    });
  });
}

/**
 * Installs, then makes sure that the calling script runs on the development Node, starting it again if need be.
 * @param {string} url
 */
export async function onDevelopmentNode(url) {
  install();
  const node = developmentNode();
  if (realpathSync(process.execPath) === realpathSync(node)) return;
  process.exit(await runNode([fileURLToPath(url), ...process.argv.slice(2)], { cwd: process.cwd() }));
}
