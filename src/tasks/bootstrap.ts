/**
 * The text that a worker evaluates. In the sources it loads the worker's main module by its place; in the built package
 * the bundler puts that whole module here, so that no bundler of a user can lose it.
 */
export const bootstrap = `import(${JSON.stringify(new URL('./worker-main.ts', import.meta.url).href)});`;
