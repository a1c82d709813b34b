// Everything in the bundle.
import l3kernel from 'l3kernel/unplugin';
import { defineConfig } from 'vite';

export default defineConfig({ plugins: [l3kernel.vite()], ssr: { noExternal: true }, build: { target: 'es2022' } });
