/**
 * The parser with md4w as a module of this thread, without a kernel: what the sandboxed one
 * (walls/l3kernel-parse-wasm.ts) is compared with. `--parser=wasm` where the walls are not l3kernel's.
 */
import { readFileSync } from 'node:fs';
import { engineUrl, makeRender } from './md4w.ts';
import type { Engine } from './md4w.ts';
import { makeParser } from './parse.ts';

const module = new WebAssembly.Module(readFileSync(engineUrl));

export const render = makeRender((env) => {
  const exports = new WebAssembly.Instance(module, { env: { ...env } }).exports as unknown as Engine & {
    readonly memory: WebAssembly.Memory;
  };
  return {
    allocMem: exports.allocMem,
    render: exports.render,
    get memory() {
      return new Uint8Array(exports.memory.buffer);
    },
  };
});

export const { setDocuments, parse, draft, fill } = makeParser(render);
