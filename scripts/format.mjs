/** Formats the code of the repository in place, or only the files that are named. */
import { join } from 'node:path';
import { onDevelopmentNode, root, runNode } from './toolchain.mjs';

await onDevelopmentNode(import.meta.url);
const paths = process.argv.slice(2);
process.exitCode = await runNode([join(root, 'node_modules/oxfmt/bin/oxfmt'), ...(paths.length > 0 ? paths : ['.'])]);
