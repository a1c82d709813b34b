// An expensive service: it says that it was started.
import { writeFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

writeFileSync(new URL(`./started/${process.pid}-${threadId}`, import.meta.url), '');
export const isGood = async (name) => !name.startsWith('bad');
