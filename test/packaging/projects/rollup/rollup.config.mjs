// Types are taken out by esbuild.
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { transform } from 'esbuild';
import l3kernel from 'l3kernel/unplugin';

const types = {
  name: 'types',
  transform: async (text, id) => {
    if (!id.endsWith('.ts')) return null;
    const { code } = await transform(text, { loader: 'ts', target: 'es2022' });
    return { code, map: null };
  },
};

export default {
  input: 'src/main.ts',
  output: { dir: 'dist', format: 'esm' },
  plugins: [l3kernel.rollup(), nodeResolve({ preferBuiltins: true }), types],
};
