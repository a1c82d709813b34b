// One file, and one for the task.
import { build } from 'esbuild';
import l3kernel from 'l3kernel/unplugin';

await build({
  entryPoints: ['src/main.ts'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outdir: 'dist',
  plugins: [l3kernel.esbuild()],
  logLevel: 'warning',
});
