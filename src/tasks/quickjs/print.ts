/** Lines that a sandbox prints. What goes to a terminal shows control characters and does not obey them. */
import { writeSync } from 'node:fs';
import type { ConsoleLevel, SpawnOptions } from '../../rpc/types.ts';

// Tab and line feed are text; everything else below a space, and what C1 terminals obey, is not.
// eslint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

const shown = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;

export function print(to: SpawnOptions['console'], level: ConsoleLevel, text: string): void {
  if (to === 'ignore') return;
  if (typeof to === 'function') {
    to(level, text);
    return;
  }
  try {
    writeSync(level === 'warn' || level === 'error' ? 2 : 1, `${text.replace(CONTROL, shown)}\n`);
  } catch {
    // A pipe that is full or closed is not the guest's concern.
  }
}
