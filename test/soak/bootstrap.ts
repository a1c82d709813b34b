/**
 * Stands where the sources have `#bootstrap`, when hooks.ts is there: the same texts, which load the hooks first. So
 * the supervisor and every worker count their sleeps as the main thread does.
 */
import { bootstrap as real } from '../../src/tasks/bootstrap.ts';

const hooks = `import(${JSON.stringify(new URL('./hooks.ts', import.meta.url).href)})`;
const counted = (text: string): string => `${hooks}.then(() => { ${text} });`;

export const bootstrap = { task: counted(real.task), supervisor: counted(real.supervisor) };
