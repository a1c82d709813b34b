/**
 * `l3kernel/unplugin`: bundlers take `spawn(new URL('./adder.ts', import.meta.url))` and `task(new URL(…))` for entries
 * and put the task's module beside the bundle. It has the shape of an unplugin, `l3kernel.vite()`, and is none: see
 * docs/decisions/bundlers.md.
 */
import { esbuild } from './esbuild.ts';
import { rollup, vite } from './rollup.ts';
import { webpack } from './webpack.ts';

const l3kernel: {
  readonly esbuild: typeof esbuild;
  readonly rollup: typeof rollup;
  readonly rolldown: typeof rollup;
  readonly vite: typeof vite;
  readonly webpack: typeof webpack;
  readonly rspack: typeof webpack;
} = { esbuild, rollup, rolldown: rollup, vite, webpack, rspack: webpack };

export default l3kernel;
