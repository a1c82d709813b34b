#!/usr/bin/env node
/**
 * The command line, `l3`. This file reads the arguments and chooses the command; each command is a file of its own,
 * loaded only when it is asked for. A command is a function from its arguments to an exit code: 0 is success, 1 a
 * failure of the work, 2 a command line that makes no sense. Messages about the command line go to stderr, so that
 * `--json` output stays one document.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

type Command = (args: string[]) => Promise<number>;

const usage = `Usage: l3 <command> [arguments]

  l3 demo                      see it at work, in some seconds
  l3 run FILE [ARGUMENT…]      run a module that boots a system
  l3 bench [NAME…] [--json]    measure, beside the floors and the peers
  l3 ps [NAME|PID] [--json]    the threads of a running system
  l3 top [NAME|PID]            the same, once a second
  l3 --help                    print this
  l3 --version                 print the version
`;

const commands: Record<string, () => Promise<Command>> = {
  demo: async () => (await import('./demo.ts')).demo,
  run: async () => (await import('./run.ts')).run,
  bench: async () => (await import('./bench.ts')).bench,
  ps: async () => (await import('./ps.ts')).ps,
  top: async () => (await import('./top.ts')).top,
};

/** The version in the package's own package.json, which is one folder up from dist/ and two from src/cli/. */
function version(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), 'utf8');
      const manifest = JSON.parse(text) as { name: string; version: string };
      if (manifest.name === 'l3kernel') return manifest.version;
    } catch {
      // Not there: the next place is tried.
    }
  }
  return 'unknown';
}

function misuse(message: string): number {
  process.stderr.write(`l3: ${message}\n\n${usage}`);
  return 2;
}

/** Options before the command belong to `l3` itself; all that follow the command are the command's own. */
async function main(args: string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined) return misuse('a command is missing');
  if (!first.startsWith('-')) {
    const load = Object.hasOwn(commands, first) ? commands[first] : undefined;
    if (!load) return misuse(`there is no command '${first}'`);
    if (rest.includes('--help') && first !== 'run') {
      process.stdout.write(usage);
      return 0;
    }
    return (await load())(rest);
  }
  try {
    const options = { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } } as const;
    const { values } = parseArgs({ args, options, allowPositionals: true });
    process.stdout.write(values.version ? `${version()}\n` : usage);
    return 0;
  } catch (error) {
    return misuse(error instanceof Error ? error.message : String(error));
  }
}

// The exit code is set, not forced: the program that `run` started goes on for as long as it has work. It is set only
// on failure, so that it does not cover the code which that program chose.
main(process.argv.slice(2)).then(
  (code) => {
    if (code !== 0) process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`l3: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
