/**
 * Sandboxes are seldom wanted, and every worker of a checkout would have to read their modules. So they are loaded when
 * the first is spawned. A build puts them into its files as they are, where a bundler could lose what is loaded later.
 */
import { createRequire } from 'node:module';

export type Sandboxes = typeof import('./host.ts');

export const loadSandboxes = (): Sandboxes => createRequire(import.meta.url)('./host.ts') as Sandboxes;
