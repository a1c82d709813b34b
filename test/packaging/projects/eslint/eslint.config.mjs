// A rule asks a task about every name: one task, whatever threads ESLint starts.
import { task } from 'l3kernel';

const speller = task(new URL('./speller.mjs', import.meta.url), { shared: 'speller', timeout: 20_000 });
const names = {
  create: (context) => ({
    VariableDeclarator({ id }) {
      if (!speller.sync.isGood(id.name)) context.report({ node: id, message: `the name '${id.name}' is bad` });
    },
  }),
};

export default [{ files: ['src/*.js'], plugins: { own: { rules: { names } } }, rules: { 'own/names': 'error' } }];
