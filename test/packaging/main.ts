/**
 * `npm run test:packaging [NAME…]`: every project of projects/, or those named, installed and run. Prints a table, and
 * what the projects that fail have said; fails when one does.
 */
import { styleText } from 'node:util';
import { Matrix, projects } from './matrix.ts';

const names = process.argv.slice(2);
const known = projects();
for (const name of names) {
  if (known.some((project) => project.name === name)) continue;
  process.stderr.write(`there is no project '${name}'; there are ${known.map((project) => project.name).join(', ')}\n`);
  process.exit(2);
}

const matrix = new Matrix();
process.on('exit', () => matrix.remove());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

const failures: string[] = [];
for (const project of known.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const began_ms = performance.now();
  const { isOk, output } = matrix.run(project);
  const seconds = ((performance.now() - began_ms) / 1000).toFixed(1).padStart(6);
  const mark = isOk ? 'ok    ' : styleText('red', 'FAILED');
  process.stdout.write(`${mark} ${project.name.padEnd(24)} ${seconds} s  ${project.about}\n`);
  if (!isOk) failures.push(`== ${project.name}\n${output.trimEnd()}\n`);
}
if (failures.length > 0) {
  process.stdout.write(`\n${failures.join('\n')}`);
  process.exitCode = 1;
}
