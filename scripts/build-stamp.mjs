/**
 * Decides whether dist/ is of the present sources, by content and not by time, so that a fresh clone, a branch change
 * and a touched file are all answered rightly. Hashing the sources takes a few milliseconds.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digest, filesBelow, readStamp, root, runNode } from './toolchain.mjs';

const stamp = join(root, 'dist', '.stamp');

/** The hash of all that the build reads. */
export function sourceHash() {
  const files = filesBelow('src').filter((path) => !path.endsWith('.test.ts') && !path.endsWith('.md'));
  files.push('package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json');
  files.push('scripts/build.mjs', 'scripts/built.mjs');
  return digest(...files.flatMap((path) => [path, readFileSync(join(root, path))]));
}

export function isBuilt() {
  return existsSync(join(root, 'dist/index.js')) && readStamp(stamp) === sourceHash();
}

/** @param {string} hash of the sources as they were when the build began */
export function markBuilt(hash) {
  writeFileSync(stamp, hash);
}

/** Builds unless dist/ is of the present sources already. @returns {Promise<number>} the exit code of the build */
export function buildIfChanged() {
  if (isBuilt()) return Promise.resolve(0);
  return runNode([join(root, 'scripts/build.mjs')], { stdio: ['ignore', 2, 2] });
}
