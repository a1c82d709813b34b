/**
 * A Markdown engine as a wasm task of the agent that calls it, started by the first document, and anew after one that
 * has ended it: by a trap, by an address beyond its memory, or because it made too much of the document.
 *
 * Invariant: what becomes of the engine is an ordinary error of the parser's, and never one of the codes that tell
 * about the parts of the site.
 */
import { bootSync, IpcError } from 'l3kernel';
import type { Task } from 'l3kernel';
import { makeRender } from '../tasks/md4w.ts';
import type { Engine } from '../tasks/md4w.ts';
import type { Render } from '../tasks/parse.ts';

/** 128 MiB: several times what an honest file of the largest size needs. */
const memory_pages = 2048;

/** The engine ended at a document. */
export class EngineError extends Error {
  override name = 'EngineError';
}

export interface OpenEngine {
  render: Render;
  /** Name of its task, when it has been started. */
  name(): string;
  /** What its calls took, all together. */
  spent_ms(): number;
}

export function openEngine(url: URL): OpenEngine {
  let task: Task<Engine> | undefined;
  let spent_ms = 0;

  const renderInTask = makeRender((imports) => {
    // What the last document did to it is not worth finding out.
    void task?.kill();
    const started = bootSync().spawnSync<Engine>(url, {
      kind: 'wasm',
      memory: { pages: memory_pages },
      imports: { env: { ...imports } },
    });
    task = started;
    return {
      allocMem: started.sync.allocMem,
      render: started.sync.render,
      get memory() {
        return started.memory ?? new Uint8Array();
      },
    };
  });

  return {
    render(markdown) {
      const began_ms = performance.now();
      try {
        return renderInTask(markdown);
      } catch (error) {
        if (!(error instanceof IpcError)) throw error;
        throw new EngineError(`the Markdown engine ended at this document: ${error.message}`);
      } finally {
        spent_ms += performance.now() - began_ms;
      }
    },
    name: () => task?.name ?? '',
    spent_ms: () => spent_ms,
  };
}
