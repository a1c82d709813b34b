/**
 * The texts that workers evaluate: a task's, and the supervisor's. In the sources they load the main modules by their
 * places; in the built package the bundler puts those whole modules here, so that no bundler of a user can lose them.
 */
import { IMPORTER } from './preload.ts';

const load = (path: string): string => `import(${JSON.stringify(new URL(path, import.meta.url).href)})`;

export const bootstrap = {
  task: `${IMPORTER} ${load('../servers/task.ts')};`,
  supervisor: `${load('../servers/supervisor/first.ts')}.then(() => ${load('../servers/supervisor/main.ts')});`,
};
