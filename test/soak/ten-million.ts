/**
 * The soak: three client tasks send ten million numbered messages to one server task, which checks every number.
 * Nothing may be lost, doubled or reordered, kernel memory must be clean at the end, and the resident set flat from the
 * fifth million to the tenth. Not in the gate:
 *
 *     node test/soak/ten-million.ts [calls]
 *
 * Progress goes to stderr; stdout gets one JSON document. Exit code 1 when anything is wrong.
 */
import { soak } from './soak.ts';

const calls = Number(process.argv[2] ?? 10_000_000);
if (!(Number.isSafeInteger(calls) && calls >= 300)) {
  process.stderr.write('usage: node test/soak/ten-million.ts [calls], at least 300\n');
  process.exit(2);
}
const report = await soak(calls, (line) => process.stderr.write(`${line}\n`));
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = report.problems.length === 0 ? 0 : 1;
