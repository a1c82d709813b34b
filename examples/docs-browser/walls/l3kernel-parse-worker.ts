/** The task `parse` with markdown-it, in the task's own worker. */
import { render } from '../tasks/parse-worker.ts';
import { makeTaskParser } from './l3kernel-parse.ts';

export { breakDown, callRing } from './break-down.ts';

export const { setDocuments, parse } = makeTaskParser(render);
