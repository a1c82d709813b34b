/** Puts wait.ts in the place of `#wait`, as an `--import` of main.ts. Workers of a system do not inherit it. */
import { registerHooks } from 'node:module';

const counted = new URL('./wait.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '#wait' ? { url: counted, shortCircuit: true } : next(specifier, context),
});
