// Two files, two workers.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['*.spec.mjs'], maxWorkers: 2 } });
