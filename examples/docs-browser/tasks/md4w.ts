/**
 * md4w, a Markdown engine in WebAssembly, unmodified, and the few lines between its addresses and our strings. They
 * run on our side: the engine sees its own memory, and the two functions that it calls with what it has rendered.
 *
 * A span is one i64, the address in its low half and the length in the high one. Strings are UTF-8. `allocMem(length)`
 * gives room for a document, `render` frees it. One copy in and one out, and two calls, for a document without code.
 *
 * Invariant: what comes from the engine is a stranger's. A span is looked at only within the memory, and the answer of
 * an engine that goes on for ever is cut off, by an exception that ends it.
 */
import { randomBytes } from 'node:crypto';
import { escapeText, nesting_max } from './parse.ts';
import type { Block, Render, Rendered } from './parse.ts';

export const engineUrl = new URL('./md4w-small.wasm', import.meta.resolve('md4w'));

/** What the engine exports and its memory as it is now, called in this thread or as a task. */
export interface Engine {
  allocMem(length: number): bigint;
  render(source: bigint, flags: number, chunk: number, givesCode: number, format: number): bigint;
  readonly memory: Uint8Array;
}

/** What the engine imports. */
export interface EngineImports {
  emitChunk(span: bigint): void;
  emitCodeBlock(language: bigint, code: bigint): void;
}

/** Tables and strike-through, as on the big Markdown hosts; raw HTML is allowed, for it is sanitised like the rest. */
const flags = 0x100 | 0x200;
const html = 0;
const chunk_min = 512;
/** Quotes in each other give 27 times their size; a table of many columns and short rows would give hundreds. */
const growth_max = 32;
const output_min = 64 * 1024;
/** A file has at most 1 MiB, and a long one gives less than twice its size; beyond this the sanitiser would suffer. */
const output_max = 16 * 1024 * 1024;
/**
 * An engine that has grown beyond this is not used again: what a document takes it would keep, and this engine does not
 * notice everywhere that it gets no more memory.
 */
const kept_max = 32 * 1024 * 1024;
/** What one call of the engine may stand for at least, so that empty ones are not without end. */
const call_cost = 8;

/** Its own links to its headings; ours are made after the sanitiser, for both engines. */
const anchor = / <a class="anchor" aria-hidden="true" id="[^"<>]*" href="#[^"<>]*"><\/a>(?=<\/h[1-6]>)/g;

/** What the engine puts into itself as deep as a document asks for. */
const nested = /<(\/?)(?:blockquote|ul|ol|li|em|strong|del)(?: start="\d*")?>/g;

/**
 * Leaves out the tags that are too deep. The sanitiser does so too, in a time that grows with the square of the depth;
 * markdown-it has a limit of its own.
 */
function shallow(text: string): string {
  let depth = 0;
  return text.replace(nested, (tag, slash: string) => {
    if (!slash) return depth++ < nesting_max ? tag : '';
    if (depth === 0) return tag;
    return depth-- > nesting_max ? '' : tag;
  });
}

/** Renders by an engine that `start` makes: at the first document, and anew after one that has spoilt it. */
export function makeRender(start: (imports: EngineImports) => Engine): Render {
  let engine: Engine | undefined;
  let output = '';
  let blocks: Block[] = [];
  let mark = '';
  let room = 0;

  function take(span: bigint): string {
    const memory = engine!.memory;
    const address = Number(span & 0xffff_ffffn);
    const length = Number((span >> 32n) & 0xffff_ffffn);
    if (address + length > memory.length) throw new RangeError('the engine names bytes beyond its memory');
    room -= length + call_cost;
    if (room < 0) throw new RangeError('the engine makes too much of this document');
    return Buffer.from(memory.buffer, memory.byteOffset + address, length).toString();
  }

  const imports: EngineImports = {
    emitChunk(span) {
      output += take(span);
    },
    emitCodeBlock(language, code) {
      const block = { code: take(code), language: take(language) };
      output += `<pre><code class="language-${escapeText(block.language)}">${mark}${blocks.push(block) - 1}-</code></pre>\n`;
    },
  };

  function run(markdown: string): Rendered {
    engine ??= start(imports);
    const length = Buffer.byteLength(markdown);
    room = Math.min(output_max, growth_max * length + output_min);
    const span = engine.allocMem(length);
    const { memory } = engine;
    const address = Number(span & 0xffff_ffffn);
    if (address + length > memory.length) throw new RangeError('the engine names bytes beyond its memory');
    Buffer.from(memory.buffer, memory.byteOffset).write(markdown, address, length);
    const rest = engine.render(span, flags, Math.max(chunk_min, length + (length >> 1)), 1, html);
    output += take(rest);
    if (engine.memory.length > kept_max) engine = undefined;
    return { html: shallow(output.replace(anchor, '')), mark, blocks };
  }

  return (markdown) => {
    output = '';
    blocks = [];
    mark = `m${randomBytes(12).toString('hex')}-`;
    try {
      return run(markdown);
    } catch (error) {
      engine = undefined;
      throw error;
    }
  };
}
