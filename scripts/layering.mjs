/**
 * Checks the arrows between the rooms of src/: which may import which. The kernel is small because of what it may not
 * reach, and it stays so only if that is a test. Test files may import anything.
 *
 * In kernel/ some constructs are refused too, with the reason beside each.
 */
import { posix } from 'node:path';
import { bareCode, importsOf, readSource, report } from './source.mjs';
import { filesBelow } from './toolchain.mjs';

/**
 * For each room the rooms that it may import besides itself. `node:` stands for Node's own modules.
 * @type {Record<string, string[]>}
 */
const arrows = {
  layout: [],
  platform: ['layout', 'node:'],
  kernel: ['layout', '#atomics', '#wait'],
  user: ['kernel', 'layout', 'platform', 'node:'],
  rpc: ['user', 'kernel', 'layout', 'platform', 'node:'],
  tasks: ['rpc', 'user', 'kernel', 'layout', 'platform', 'node:'],
  servers: ['tasks', 'rpc', 'user', 'kernel', 'layout', 'platform', 'inspect', 'node:'],
  inspect: ['layout', 'platform', 'node:'],
  compat: ['index', 'rpc', 'user', 'layout', 'platform', 'node:'],
  unplugin: ['tasks', 'node:'],
  index: ['servers', 'tasks', 'rpc', 'user', 'kernel', 'layout', 'platform', 'inspect', 'compat', 'node:'],
  cli: [
    'index',
    'servers',
    'tasks',
    'rpc',
    'user',
    'kernel',
    'layout',
    'platform',
    'inspect',
    'compat',
    'bench',
    'node:',
  ],
};

/** @type {[pattern: RegExp, reason: string][]} */
const refusedInKernel = [
  [/\basync\b|\bawait\b/, 'the kernel never waits in a promise'],
  [/\bAtomics\./, 'atomics go through #atomics, so that the explorer of interleavings sees them'],
  [/\bnew (?:Int32Array|Float64Array|Uint8Array)\b/, 'the kernel makes no views: they are made once, at attach'],
  [/\bfinally\b/, 'the kernel undoes nothing behind a throw: each path says what it leaves'],
  [/\b(?:words|bytes)\s*\[/, 'shared words are reached by the functions of #atomics alone, where the explorer stands'],
];

/** The room of a file under src/. @param {string} path */
function roomOf(path) {
  const [, room, inside] = path.split('/');
  return inside === undefined ? room.replace(/\.ts$/, '') : room;
}

/** The room that an import leads to, by the name that `arrows` uses. @param {string} from @param {string} name */
function targetOf(from, name) {
  if (name.startsWith('node:')) return 'node:';
  if (name === '#bootstrap' || name === '#sandbox') return 'tasks';
  if (name.startsWith('#')) return name;
  if (!name.startsWith('.')) return `package ${name}`;
  const path = posix.join(posix.dirname(from), name);
  return path.startsWith('src/') ? roomOf(path) : path.split('/')[0];
}

/** @param {string} room @param {string} target */
function isAllowed(room, target) {
  const allowed = arrows[room];
  if (target === room || allowed.includes(target)) return true;
  return target.startsWith('#') && allowed.includes('platform');
}

/** @param {import('./source.mjs').Source} source @returns {string[]} */
export function layeringComplaints(source) {
  const { path } = source;
  const room = roomOf(path);
  if (!arrows[room]) return [`${path}: '${room}' is not a room of src/; name it in scripts/layering.mjs`];
  const complaints = [];
  for (const { name, line } of importsOf(source)) {
    const target = targetOf(path, name);
    if (!isAllowed(room, target)) complaints.push(`${path}:${line}: ${room}/ may not import ${target} (${name})`);
  }
  if (room !== 'kernel') return complaints;
  for (const [index, line] of bareCode(source).split('\n').entries()) {
    for (const [pattern, reason] of refusedInKernel) {
      if (pattern.test(line)) complaints.push(`${path}:${index + 1}: ${pattern.exec(line)?.[0]}: ${reason}`);
    }
  }
  return complaints;
}

if (import.meta.main) {
  const files = filesBelow('src').filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));
  const complaints = files.flatMap((path) => layeringComplaints(readSource(path)));
  report(complaints, `${files.length} files keep to the arrows`);
}
