/**
 * The texts that a sandbox runs: its own module, and the modules that its chief grants. TypeScript loses its types
 * first, by Node's own stripping, which puts blanks in their place: lines and columns of errors are those of the file.
 */
import { readFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SpawnOptions } from '../../rpc/types.ts';

export interface Source {
  /** As errors name it: no path of this machine, which is nobody's business in there. */
  readonly name: string;
  readonly text: string;
}

type Strip = (text: string) => string;

function withoutTypes(text: string): string {
  const { stripTypeScriptTypes } = nodeModule as { stripTypeScriptTypes?: Strip };
  if (stripTypeScriptTypes === undefined) throw new Error('this Node cannot strip types; give the sandbox JavaScript');
  // Node says at its first use that it is experimental.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

const isTypeScript = (name: string): boolean => /\.[cm]?ts$/.test(name);

/** The text of a task's module. Throws what keeps it from being read. */
export function readSource(url: URL): Source {
  if (url.protocol === 'file:') {
    const name = decodeURIComponent(posix.basename(url.pathname));
    const text = readFileSync(fileURLToPath(url), 'utf8');
    return { name, text: isTypeScript(name) ? withoutTypes(text) : text };
  }
  const data = /^data:(?:text|application)\/(javascript|typescript)(?:;charset=utf-8)?(;base64)?,(.*)$/is.exec(
    url.href,
  );
  if (data === null) {
    throw new TypeError(`a sandbox is loaded from a file: url or a data:text/javascript url, not from ${url.protocol}`);
  }
  const [, kind, isBase64, body] = data;
  const text = isBase64 === undefined ? decodeURIComponent(body!) : Buffer.from(body!, 'base64').toString('utf8');
  const isTs = kind!.toLowerCase() === 'typescript';
  return { name: isTs ? 'task.ts' : 'task.js', text: isTs ? withoutTypes(text) : text };
}

/** Longer than any path that a system takes. */
const NAME_MAX = 4096;

/** Finds what a sandbox imports, among what was granted. */
export class Loader {
  private readonly granted: SpawnOptions['modules'];
  /** Who asked for a name first, and how. */
  private readonly asked = new Map<string, readonly [specifier: string, referrer: string]>();

  constructor(granted: SpawnOptions['modules']) {
    this.granted = granted;
  }

  /** The name of a module: relative specifiers are taken from the module that imports. */
  resolve(specifier: string, referrer: string): string {
    if (specifier.length > NAME_MAX) throw new RangeError(`the name of a module has more than ${NAME_MAX} characters`);
    const isRelative = /^\.\.?\//.test(specifier);
    const name = isRelative ? posix.join(posix.dirname(referrer), specifier) : specifier;
    if (!this.asked.has(name)) this.asked.set(name, [specifier, referrer]);
    return name;
  }

  /** The text of a module. Throws when it was not granted. */
  load(name: string): string {
    const [specifier, referrer] = this.asked.get(name) ?? [name, ''];
    const { granted } = this;
    const text =
      typeof granted === 'function' ? granted(specifier, referrer) : (own(granted, name) ?? own(granted, specifier));
    if (typeof text !== 'string') {
      this.asked.delete(name);
      throw new ReferenceError(`the module '${specifier}', which ${referrer} imports, was not granted`);
    }
    return isTypeScript(name) ? withoutTypes(text) : text;
  }
}

const own = (granted: Readonly<Record<string, string>> | undefined, name: string): string | undefined =>
  granted !== undefined && Object.hasOwn(granted, name) ? granted[name] : undefined;
