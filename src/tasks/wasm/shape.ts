/**
 * What a WebAssembly module is made of, read from its bytes: the types of its imports and exports, its memory and
 * tables. JavaScript's own interface gives names and kinds only, and a kernel must know types before it lets a module
 * in. V8 has validated the bytes before they come here, so that a malformed module never does; what this reader does
 * not know it refuses by name, it never guesses.
 *
 * `limited` gives the bytes with the growth of memory and tables bounded: a module's own `memory.grow` asks nobody, so
 * the bound must stand in the module.
 */
import { HEADER_BYTES, numberBytes, Reader, sectionsOf, type ValueType } from './sections.ts';

export type { ValueType } from './sections.ts';

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** In pages of 64 KiB, or in table elements. */
export interface Limits {
  readonly min: number;
  readonly max: number | undefined;
}

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: 'function' | 'table' | 'memory' | 'global' | 'tag';
  readonly type: FunctionType | null;
  readonly limits: Limits | null;
  /** Where the bytes stand that say what it is, behind its two names. */
  readonly from: number;
  readonly end: number;
}

export interface Export {
  readonly name: string;
  readonly type: FunctionType;
}

export interface Shape {
  readonly imports: readonly Import[];
  /** The exported functions, in their order. */
  readonly exports: readonly Export[];
  /** Name under which the first memory is exported, null when it is not. */
  readonly memory: string | null;
  /** What a task may not contain, each with the reason; empty is well. */
  readonly refused: readonly string[];
  /** How many types and functions there are, those that are imported among them. */
  readonly types: number;
  readonly functions: number;
}

export const typeText = ({ params, results }: FunctionType): string =>
  `(${params.join(', ')}) -> ${results.length === 1 ? results[0]! : `(${results.join(', ')})`}`;

export const sameType = (a: FunctionType, b: FunctionType): boolean => typeText(a) === typeText(b);

const SECTION_TYPE = 1;
const SECTION_IMPORT = 2;
const SECTION_FUNCTION = 3;
const SECTION_TABLE = 4;
const SECTION_MEMORY = 5;
const SECTION_EXPORT = 7;
const SECTION_TAG = 13;
/** Exceptions are objects of the agent's heap, which no limit of ours counts: they stay small. */
const TAG_PARAMS_MAX = 16;
const FUNCREF = 0x70;

const IMPORT_KINDS = ['function', 'table', 'memory', 'global', 'tag'] as const;

/** Thrown where the bytes go on in a way that is not read here; the reason stands in `refused`. */
const UNREAD = Symbol('unread');

/** What is collected while the sections go by. */
interface Draft {
  readonly types: (FunctionType | null)[];
  readonly imports: Import[];
  /** Types of all functions, the imported ones first. */
  readonly functions: (FunctionType | null)[];
  readonly exports: Export[];
  memory: string | null;
  readonly refused: string[];
}

const SECTION_READERS: Record<number, (reader: Reader, draft: Draft) => void> = {
  [SECTION_TYPE]: readTypes,
  [SECTION_IMPORT]: readImports,
  [SECTION_FUNCTION]: (reader, draft) => {
    for (let left = reader.number(); left > 0; left--) draft.functions.push(draft.types[reader.number()] ?? null);
  },
  [SECTION_TABLE]: (reader, draft) => {
    for (let left = reader.number(); left > 0; left--) readTable(reader, draft);
  },
  [SECTION_MEMORY]: (reader, draft) => {
    for (let left = reader.number(); left > 0; left--) readMemory(reader, draft);
  },
  [SECTION_EXPORT]: readExports,
  [SECTION_TAG]: (reader, draft) => {
    for (let left = reader.number(); left > 0; left--) readTag(reader, draft);
  },
};

/** The shape of a valid module. */
export function shapeOf(bytes: Uint8Array): Shape {
  const draft: Draft = { types: [], imports: [], functions: [], exports: [], memory: null, refused: [] };
  try {
    for (const { id, from } of sectionsOf(bytes)) SECTION_READERS[id]?.(new Reader(bytes, from), draft);
  } catch (error) {
    if (error !== UNREAD) throw error;
  }
  const { imports, exports, memory, refused } = draft;
  const counts = { types: draft.types.length, functions: draft.functions.length };
  return { imports, exports, memory, refused: [...new Set(refused)], ...counts };
}

function readTypes(reader: Reader, draft: Draft): void {
  for (let left = reader.number(); left > 0; left--) {
    const first = reader.byte();
    // A recursion group holds types of its own; its members count one by one.
    if (first === 0x4e)
      for (let members = reader.number(); members > 0; members--) readType(reader, reader.byte(), draft);
    else readType(reader, first, draft);
  }
}

function readType(reader: Reader, form: number, draft: Draft): void {
  if (form === 0x50 || form === 0x4f) {
    for (let supers = reader.number(); supers > 0; supers--) reader.number();
    form = reader.byte();
  }
  if (form === 0x60) {
    draft.types.push({ params: reader.valueTypes(), results: reader.valueTypes() });
    return;
  }
  draft.refused.push('a struct or array type: such objects fill the heap that all tasks of the agent share');
  throw UNREAD;
}

function readImports(reader: Reader, draft: Draft): void {
  for (let left = reader.number(); left > 0; left--) {
    const module = reader.name();
    const name = reader.name();
    const from = reader.at;
    const kind = IMPORT_KINDS[reader.byte()]!;
    let type: FunctionType | null = null;
    let limits: Limits | null = null;
    if (kind === 'function') {
      type = draft.types[reader.number()] ?? null;
      draft.functions.push(type);
    } else if (kind === 'table') limits = readTable(reader, draft);
    else if (kind === 'memory') limits = readMemory(reader, draft);
    else if (kind === 'tag') readTag(reader, draft);
    else {
      reader.valueType();
      reader.byte();
    }
    draft.imports.push({ module, name, kind, type, limits, from, end: reader.at });
  }
}

function readExports(reader: Reader, draft: Draft): void {
  for (let left = reader.number(); left > 0; left--) {
    const name = reader.name();
    const kind = IMPORT_KINDS[reader.byte()]!;
    const index = reader.number();
    const type = kind === 'function' ? draft.functions[index] : null;
    if (type) draft.exports.push({ name, type });
    if (kind === 'memory' && index === 0) draft.memory ??= name;
  }
}

function readTag(reader: Reader, draft: Draft): void {
  reader.byte();
  const type = draft.types[reader.number()] ?? null;
  const fits = type !== null && type.params.length <= TAG_PARAMS_MAX && !type.params.includes('other');
  if (!fits) draft.refused.push(`an exception that carries more than ${TAG_PARAMS_MAX} numbers`);
}

function readTable(reader: Reader, draft: Draft): Limits {
  if (reader.byte() === FUNCREF) return readLimits(reader, draft);
  draft.refused.push('a table of anything but functions, or with an initialiser');
  throw UNREAD;
}

const readMemory = (reader: Reader, draft: Draft): Limits => readLimits(reader, draft);

function readLimits(reader: Reader, draft: Draft): Limits {
  const flags = reader.byte();
  if ((flags & 2) !== 0) draft.refused.push('a shared memory: it could be waited on, and its agent with it');
  if ((flags & 4) !== 0) draft.refused.push('a memory of 64-bit addresses');
  if ((flags & ~7) !== 0) draft.refused.push('a memory of another page size');
  const min = reader.number();
  return { min, max: (flags & 1) === 0 ? undefined : reader.number() };
}

/** What a module may grow to. */
export interface Bounds {
  readonly pages: number;
  readonly elements: number;
}

/** The bound of a memory is that of a task, which has one; that of tables is for each of them. */
const TABLES_MAX = 16;

/** What of a module is too large from the start, in sentences. */
export function excessOf(bytes: Uint8Array, bounds: Bounds): string[] {
  const found: string[] = [];
  const counts = { memory: 0, table: 0 };
  const check = (min: number, max: number, what: string): void => {
    if (min > max) found.push(`it begins with ${min} ${what}, and may have ${max}`);
  };
  for (const { module, name, kind, limits } of shapeOf(bytes).imports) {
    if (limits === null) continue;
    const isMemory = kind === 'memory';
    counts[isMemory ? 'memory' : 'table']++;
    check(
      limits.min,
      isMemory ? bounds.pages : bounds.elements,
      `${isMemory ? 'pages' : 'elements'} in ${module}.${name}`,
    );
  }
  for (const { id, from } of sectionsOf(bytes)) {
    const what = id === SECTION_MEMORY ? 'pages' : 'table elements';
    for (const { min } of limitsIn(bytes, id, from)) {
      counts[id === SECTION_MEMORY ? 'memory' : 'table']++;
      check(min, id === SECTION_MEMORY ? bounds.pages : bounds.elements, what);
    }
  }
  if (counts.memory > 1) found.push(`it has ${counts.memory} memories, and may have 1`);
  if (counts.table > TABLES_MAX) found.push(`it has ${counts.table} tables, and may have ${TABLES_MAX}`);
  return found;
}

/** The limits in a section of memories or tables; of any other section none. */
function limitsIn(bytes: Uint8Array, id: number, from: number): Limits[] {
  if (id !== SECTION_MEMORY && id !== SECTION_TABLE) return [];
  const reader = new Reader(bytes, from);
  const scrap: Draft = { types: [], imports: [], functions: [], exports: [], memory: null, refused: [] };
  const read = id === SECTION_MEMORY ? readMemory : readTable;
  return Array.from({ length: reader.number() }, () => read(reader, scrap));
}

/**
 * The same module, its own memories and tables bounded, and with another section of imports if one is given. For
 * modules of which nothing was refused.
 */
export function limited(
  bytes: Uint8Array,
  { pages, elements }: Bounds,
  imports: readonly number[] | null = null,
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [bytes.subarray(0, HEADER_BYTES)];
  for (const { id, start, from, end } of sectionsOf(bytes)) {
    const found = limitsIn(bytes, id, from);
    if (found.length === 0) {
      parts.push(id === SECTION_IMPORT && imports !== null ? Uint8Array.from(imports) : bytes.subarray(start, end));
      continue;
    }
    const bound = id === SECTION_MEMORY ? pages : elements;
    const body = numberBytes(found.length);
    for (const { min, max } of found) {
      if (id === SECTION_TABLE) body.push(FUNCREF);
      body.push(1, ...numberBytes(min), ...numberBytes(Math.min(max ?? bound, bound)));
    }
    parts.push(Uint8Array.of(id, ...numberBytes(body.length), ...body));
  }
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
