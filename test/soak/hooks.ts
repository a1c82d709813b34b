/**
 * Puts wait.ts in the place of `#wait`, as an `--import` of main.ts; and bootstrap.ts in that of `#bootstrap`, by which
 * the workers of its systems do the same.
 */
import { registerHooks } from 'node:module';

const stands: Readonly<Record<string, string>> = {
  '#wait': new URL('./wait.ts', import.meta.url).href,
  '#bootstrap': new URL('./bootstrap.ts', import.meta.url).href,
};

registerHooks({
  resolve(specifier, context, next) {
    const url = stands[specifier];
    return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
  },
});
