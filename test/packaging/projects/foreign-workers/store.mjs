// An expensive service: it says that it was started.
import { appendFileSync } from 'node:fs';

appendFileSync(new URL('./started.txt', import.meta.url), `${process.pid}\n`);
let sum = 0;
export const add = (x) => (sum += x);
