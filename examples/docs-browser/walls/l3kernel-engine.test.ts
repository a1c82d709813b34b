/** An engine that is a stranger's: what it does costs the document that made it do so, and nothing else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { boot } from 'l3kernel';
import type { System } from 'l3kernel';
import { highlight } from '../tasks/highlight.ts';
import { engineUrl } from '../tasks/md4w.ts';
import { makeParser } from '../tasks/parse.ts';
import { openEngine } from './l3kernel-engine.ts';

const call_time_max_ms = 500;

let system: System;
before(async () => (system = await boot()));
after(() => system.shutdown());

const open = (url: URL) => {
  const { parse } = makeParser(openEngine(url).render);
  return (markdown: string) => parse('a.md', markdown, highlight);
};

/** Not one of the codes that tell about the parts of the site. */
function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof Error && !('code' in error), String(error));
    return error.message;
  }
  return assert.fail('it gave an answer');
}

test('what a hostile engine renders is sanitised like a hostile document', () => {
  const parse = open(new URL('./fixtures/hostile-engine.wasm', import.meta.url));
  assert.equal(parse('x').html, '<span class="image"></span><b>bold</b>');
});

test('an engine that traps, lies or goes on is ended, and the next document gets another', () => {
  const parse = open(new URL('./fixtures/hostile-engine.wasm', import.meta.url));
  const fates: [letter: string, message: RegExp][] = [
    ['t', /the Markdown engine ended at this document: .*unreachable/],
    ['w', /the engine names bytes beyond its memory/],
    ['e', /the engine makes too much of this document/],
    ['c', /the engine makes too much of this document/],
    ['g', /unreachable/],
  ];
  for (const [letter, message] of [...fates, ...fates]) {
    assert.match(
      failure(() => parse(letter)),
      message,
    );
    assert.equal(parse('x').text, 'bold');
  }
  const engines = system.tasks().filter(({ kind }) => kind === 'wasm');
  assert.equal(engines.length, 2, 'one of this test and one of the test before');
});

test('documents that the engine itself cannot bear are given up, and it goes on', { timeout: 20_000 }, () => {
  const parse = open(engineUrl);
  const columns = 120;
  const table = `|${'a|'.repeat(columns)}\n|${'-|'.repeat(columns)}\n${'x\n'.repeat(400_000)}`;
  assert.match(
    failure(() => parse(table)),
    /makes too much/,
  );
  assert.match(
    failure(() => parse('['.repeat(2 ** 20))),
    /memory access out of bounds|unreachable/,
  );
  assert.equal(parse('*x*').html.trim(), '<p><em>x</em></p>');
});

test('a loop in the engine ends with the timeout, and another parser answers', { timeout: 30_000 }, async () => {
  const parse = await system.spawn<typeof import('./fixtures/hostile-parse.ts')>(
    new URL('./fixtures/hostile-parse.ts', import.meta.url),
    { restart: 'on-failure', onTimeout: 'kill', host: { documents: () => [] } },
  );
  assert.equal((await parse.async.parse('a.md', 'x')).text, 'bold');
  const hurried = parse.with({ timeout: call_time_max_ms });
  await assert.rejects(hurried.async.parse('a.md', 'l'), { code: 'ERR_IPC_TIMEOUT' });
  assert.throws(() => hurried.sync.parse('a.md', 'l'), { code: 'ERR_IPC_TIMEOUT' });
  assert.equal((await parse.async.parse('a.md', 'x')).text, 'bold');
  const engines = system.tasks().filter(({ name }) => name === 'hostile-engine');
  assert.ok(engines.length <= 3, 'those of the parsers that were ended are gone');
  await parse.kill();
});

test('an engine that has grown is not kept', () => {
  const parse = open(engineUrl);
  const engines = (): Set<number> => new Set(system.tasks().map(({ id }) => id));
  parse('x');
  const before = engines();
  parse('x');
  assert.deepEqual(engines(), before);
  assert.equal(parse('['.repeat(2 ** 18)).blocks, 0);
  parse('x');
  assert.notDeepEqual(engines(), before);
});
