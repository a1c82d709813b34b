// The same plugin as rollup's.
import l3kernel from 'l3kernel/unplugin';

export default {
  input: 'src/main.ts',
  platform: 'node',
  output: { dir: 'dist', format: 'esm' },
  plugins: [l3kernel.rolldown()],
};
