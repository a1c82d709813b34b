// The compiler is a child process that is asked with this thread blocked, and asks back.
import * as sass from 'sass-embedded';

const source = '$a: 1px; .x { width: calc($a + 2px); y: twice(4) } @import "foo";';
const { css } = sass.compileString(source, {
  functions: { 'twice($n)': ([n]) => new sass.SassNumber(n.assertNumber().value * 2) },
  importers: [
    { canonicalize: (url) => new URL(`mem:${url}`), load: () => ({ contents: '.imp { a: b }', syntax: 'scss' }) },
  ],
  silenceDeprecations: ['import'],
});
console.log(css);
try {
  sass.compileString('.x { a: $nope }');
} catch (error) {
  console.log(error.message);
}
for (let i = 0; i < 10; i++) console.log(sass.compileString(`.a${i} { b: ${i} }`).css);
const compiler = sass.initCompiler();
console.log(compiler.compileString('a { b: c }').css);
compiler.dispose();
console.log('ok');
