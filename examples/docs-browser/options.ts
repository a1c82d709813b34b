/** The command line. Invariant: what is not understood is refused with a sentence, never ignored. */
import { parseArgs } from 'node:util';
import { parser_default, parserNames, wallNames } from './walls/walls.ts';
import type { ParserName, WallName } from './walls/walls.ts';

export interface Options {
  /** The folder to read, as given; undefined for the installed packages. */
  folder: string | undefined;
  walls: WallName;
  /** Which engine reads Markdown. */
  parser: ParserName;
  port: number;
  fresh: boolean;
  check: boolean;
  json: boolean;
  help: boolean;
  /** Where index and table are kept; undefined for the usual place. */
  cache: string | undefined;
}

export const port_default = 8600;

export const help = `usage: npm start -- [FOLDER] [OPTION…]

Makes a searchable site of the Markdown files of the installed packages, or of those below FOLDER.
Every part of it runs behind a wall of its own; one table tells what the walls cost,
a second one what happens when a part breaks.

  --fresh         index and measure again instead of using what an earlier start left
  --check         boot, index, send 500 mixed requests, break every part meanwhile, print tables;
                  exit 0 only if every answer and every error was right
  --json          with --check: print one JSON document and nothing else
  --walls NAME    ${wallNames.join(', ')} (default l3kernel)
  --parser NAME   wasm: md4w in a memory of its own (default); worker: markdown-it in the part's worker
  --cache FOLDER  keep index and table there
  --help          this text

The port is taken from PORT in the environment, ${port_default} by default.
`;

/** A command line that is not understood; the message is for the user. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Reads the arguments after the program's name. Throws UsageError. */
export function readOptions(args: string[], environment: NodeJS.ProcessEnv): Options {
  const { values, positionals } = parsed(args);
  if (positionals.length > 1) throw new UsageError(`one folder at most, not ${positionals.length}`);
  if (values.json && !values.check) throw new UsageError('--json goes with --check');
  const walls = wallNames.find((name) => name === values.walls);
  if (!walls) throw new UsageError(`--walls is one of ${wallNames.join(', ')}, not '${values.walls}'`);
  const parser = parserNames.find((name) => name === values.parser);
  if (!parser) throw new UsageError(`--parser is one of ${parserNames.join(', ')}, not '${values.parser}'`);
  if (values.cache === '') throw new UsageError('--cache needs a folder');
  return {
    folder: positionals[0],
    walls,
    parser,
    port: portOf(environment.PORT),
    fresh: values.fresh,
    check: values.check,
    json: values.json,
    help: values.help,
    cache: values.cache,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        fresh: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        walls: { type: 'string', default: 'l3kernel' },
        parser: { type: 'string', default: parser_default },
        cache: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function portOf(text: string | undefined): number {
  if (text === undefined || text === '') return port_default;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65535) throw new UsageError(`PORT is a number from 0 to 65535, not '${text}'`);
  return port;
}
