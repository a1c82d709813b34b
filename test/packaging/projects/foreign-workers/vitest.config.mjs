// The setup runs in vitest's main thread, before the threads of the tests are started.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['*.spec.mjs'], globalSetup: './setup.mjs', maxWorkers: 2 } });
