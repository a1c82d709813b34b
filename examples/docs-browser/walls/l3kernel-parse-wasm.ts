/**
 * The task `parse` with md4w in a wasm task: a memory of its own, in this worker, which is its chief. The engine is C
 * that reads what strangers wrote; it sees that memory and the two functions that take what it has rendered, and what
 * it gives is sanitised here. The worker around it is there for time: nothing ends a loop in a wasm task, but the
 * timeout of whoever calls the parser ends the worker.
 *
 * Invariant: a document that ends the engine costs that document. The supervisor's own restart is not used, for it
 * gives up after a few in a row, and a folder may hold many such documents.
 */
import { openEngine } from './l3kernel-engine.ts';
import { makeTaskParser } from './l3kernel-parse.ts';
import type { TimedPage } from './l3kernel-parse.ts';
import { engineUrl } from '../tasks/md4w.ts';

export { breakDown, callRing } from './break-down.ts';

const engine = openEngine(engineUrl);
const parser = makeTaskParser(engine.render);

export const { setDocuments } = parser;

export function parse(path: string, markdown: string): TimedPage {
  const before_ms = engine.spent_ms();
  const page = parser.parse(path, markdown);
  return { ...page, engine: { name: engine.name(), ms: engine.spent_ms() - before_ms } };
}
