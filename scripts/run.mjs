/**
 * Runs one program of the repository: `node scripts/run.mjs FILE [ARGUMENT…]`.
 *
 * Installs and builds first when something changed since the last time; otherwise that costs two hashes and two
 * process starts, so that the program is running in a fraction of a second.
 */
import { join } from 'node:path';
import { buildIfChanged } from './build-stamp.mjs';
import { fail, install, root, runNode } from './toolchain.mjs';

const [file, ...args] = process.argv.slice(2);
if (!file) fail('usage: node scripts/run.mjs FILE [ARGUMENT…]');
install();
if ((await buildIfChanged()) !== 0) fail('the build failed, see its message above');
process.exitCode = await runNode([join(root, file), ...args], { cwd: process.cwd() });
