/**
 * Loading a module that is known at run time only. Bundlers that find an `import()` or a `createRequire` of something
 * that they cannot know warn, or put something else in its place; these are said in ways that they leave alone.
 */
type NodeModule = typeof import('node:module');

/** As `createRequire`. */
export const requireFrom = (place: string | URL): NodeJS.Require =>
  (process.getBuiltinModule('node:module') as NodeModule).createRequire(place);

export const importAt = async (url: string): Promise<Record<string, unknown>> =>
  (await import(/* webpackIgnore: true */ /* @vite-ignore */ url)) as Record<string, unknown>;
