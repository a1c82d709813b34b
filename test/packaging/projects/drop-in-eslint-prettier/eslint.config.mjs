// The rule of the plugin.
import prettier from 'eslint-plugin-prettier';

export default [{ files: ['src/*.js'], plugins: { prettier }, rules: { 'prettier/prettier': 'error' } }];
