// The same sources twice: as CommonJS and as ES modules.
import { fileURLToPath } from 'node:url';
import l3kernel from 'l3kernel/unplugin';

const common = {
  mode: 'production',
  target: 'node22',
  entry: './src/main.ts',
  module: {
    rules: [{ test: /\.ts$/, loader: './types-loader.cjs' }],
  },
  plugins: [l3kernel.webpack()],
  stats: 'errors-warnings',
  // Quicker.
  optimization: { minimize: false },
};
const folder = (name) => fileURLToPath(new URL(`dist/${name}`, import.meta.url));

export default [
  { ...common, name: 'cjs', output: { path: folder('cjs'), filename: '[name].cjs', chunkFilename: '[name].cjs' } },
  {
    ...common,
    name: 'esm',
    output: {
      path: folder('esm'),
      filename: '[name].mjs',
      chunkFilename: '[name].mjs',
      module: true,
      library: { type: 'module' },
    },
    experiments: { outputModule: true },
  },
];
