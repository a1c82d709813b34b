/**
 * The parser that is not the default passes the tests that the default passes: the same files, each run by itself with
 * DOCS_PARSER in its environment. parse.test.ts tries both by itself.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parser_default, parserNames } from './walls/walls.ts';

const files = ['site', 'walls/l3kernel-parse', 'index-corpus', 'walls-l3kernel', 'system'];

for (const parser of parserNames.filter((name) => name !== parser_default)) {
  for (const file of files) {
    test(`${file}.test.ts with --parser=${parser}`, { timeout: 100_000 }, async () => {
      // A test file that finds this variable reports to its parent in a form of its own, and runs nothing.
      const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
      const run = promisify(execFile)(process.execPath, [fileURLToPath(new URL(`${file}.test.ts`, import.meta.url))], {
        env: { ...environment, DOCS_PARSER: parser },
        maxBuffer: 2 ** 24,
      });
      const { stdout } = await run.catch((error: Error & { stdout: string }) => assert.fail(error.stdout));
      assert.match(stdout, /^ℹ pass [1-9]/m);
    });
  }
}
