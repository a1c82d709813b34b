// Prettier with this thread blocked: results, properties and errors.
import prettier from '@prettier/sync';

console.log(prettier.version, prettier.format('const  a={b:1}', { parser: 'babel' }));
console.log(
  prettier.check('a;\n', { parser: 'babel' }),
  prettier.formatWithCursor(' a', { parser: 'babel', cursorOffset: 1 }),
);
console.log(prettier.getFileInfo('x.ts'), prettier.resolveConfig('nowhere/x.js'));
try {
  prettier.format('a b c', { parser: 'babel' });
} catch (error) {
  console.log(error.name, error.message, error.loc);
}
for (let i = 0; i < 20; i++) console.log(prettier.format(`f( ${i} )`, { parser: 'babel' }));
console.log('ok');
