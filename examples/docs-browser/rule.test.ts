/** The page rule: what it does to pages, who may change it, and rules that mean harm. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeFixture } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import { openSite } from './fixture-site.ts';
import type { OpenSite } from './fixture-site.ts';
import type { Picture } from './live.ts';
import { failures_max, openPageRule, rule_length_max } from './rule.ts';
import type { Ruled, RuleFailure, RuleState } from './rule.ts';
import type { Answer } from './site.ts';
import type { RulePage, RuleTask } from './walls/walls.ts';

let fixture: Fixture;
let open: OpenSite;

before(async () => {
  fixture = makeFixture();
  open = await openSite(fixture.folder, 'l3kernel');
});
after(async () => {
  await open?.close();
  fixture?.remove();
});

const guide = '/page/alpha/docs/guide.md';
const readme = '/page/alpha/README.md';
const good = 'export default (page) => page.path + ": " + page.headings.length';

const ask = (url: string, accept = 'application/json'): Promise<Answer> =>
  open.site.answer({ method: 'GET', url, accept });

interface Posted {
  status: number;
  answer: Answer;
  data: { rule: RuleState | null; error?: RuleFailure };
}

async function post(rule: string, accept = 'application/json', from?: string): Promise<Posted> {
  const read = async (): Promise<string> => new URLSearchParams({ rule }).toString();
  const type = 'application/x-www-form-urlencoded';
  const answer = await open.site.answer({ method: 'POST', url: '/rule', accept, from, type, read });
  const isJson = answer.headers['content-type']?.startsWith('application/json');
  return { status: answer.status, answer, data: (isJson ? JSON.parse(answer.body) : {}) as Posted['data'] };
}

const ruledOf = async (url: string): Promise<Ruled | undefined> =>
  (JSON.parse((await ask(url)).body) as { rule?: Ruled }).rule;
const stateOf = async (): Promise<RuleState | null> =>
  (JSON.parse((await ask('/rule')).body) as { rule: RuleState | null }).rule;

/** Requests that need no rule. */
async function assertAlive(): Promise<void> {
  for (const url of ['/', '/?q=alpha', readme, '/page/', '/system', '/rule'])
    assert.equal((await ask(url)).status, 200, url);
}

test('a rule sees a page and says something above it', { timeout: 60_000 }, async () => {
  assert.equal(await ruledOf(guide), undefined);
  const { status, data } = await post(`// what there is
    export default async ({ path, title, text, headings, ...more }) => JSON.stringify(
      [path, title, text.includes('A server ran.'), headings.map((one) => one.level + one.text), more, typeof process])`);
  assert.equal(status, 200, JSON.stringify(data));
  assert.equal(data.rule?.state, 'on');
  const note = (await ruledOf(guide))?.note;
  const headings = ['1Guide', '2First steps', '2Second', '2Third'];
  assert.deepEqual(JSON.parse(note ?? ''), ['alpha/docs/guide.md', 'Guide', true, headings, {}, 'undefined']);
  assert.equal((await stateOf())?.pages, 1);
});

test('a running rule is a task that is drawn, with an arrow to it', { timeout: 60_000 }, async () => {
  assert.equal((await post(good)).status, 200);
  await ask(guide);
  const { tasks, edges } = JSON.parse((await ask('/system')).body) as Picture;
  assert.ok(tasks.some(({ name }) => name === 'rule'));
  assert.ok(edges.some(({ from, to, calls }) => from === 'main' && to === 'rule' && calls > 0));
});

test('what it gives is text, and may fold the page away', { timeout: 60_000 }, async () => {
  const { status } = await post(`export default () => ({ note: '<img src=x onerror=alert(1)>"\\'', hide: true })`);
  assert.equal(status, 200);
  const { body } = await ask(guide, 'text/html');
  assert.doesNotMatch(body, /<img/);
  assert.match(body, /<p class="ruled">&#60;img src=x onerror=alert\(1\)&#62;&#34;&#39; /);
  assert.match(body, /<details class="away">.*<h1.*<\/details>/s);
});

test('an empty rule removes it, and its arrow', { timeout: 60_000 }, async () => {
  await post(good);
  await ask(guide);
  const { status, data } = await post(' \r\n ');
  assert.deepEqual([status, data.rule], [200, null]);
  assert.equal(await ruledOf(guide), undefined);
  const { tasks, edges } = JSON.parse((await ask('/system')).body) as Picture;
  assert.ok(!tasks.some(({ name }) => name.startsWith('rule')));
  assert.ok(!edges.some(({ to }) => to === 'rule'));
});

const f = 'export default function (page)';
const hostile: [title: string, text: string, code: RegExp, line?: number][] = [
  ['a loop', `${f} { for (;;); }`, /^ERR_IPC_TIMEOUT$/],
  ['a loop of the module', 'for (;;);', /^ERR_IPC_SPAWN_FAILED$/],
  ['a loop of the engine', `${f} { const a = []; a.length = 4e9; a.sort(); }`, /^ERR_IPC_(?:TIMEOUT|PEER_GONE)$/],
  ['recursion', `export default function f(page) { return 1 + f(page); }`, /^ERR_IPC_LIMIT$/],
  ['a memory bomb', `${f} { let s = 'x'; for (;;) s += s; }`, /^ERR_IPC_LIMIT$/],
  ['a throw', `\n${f} {\n  throw new RangeError('<b>no</b>');\n}`, /^RangeError$/, 3],
  ['a throw of no error', `${f} { throw { code: 1 }; }`, /^thrown$/],
  [
    'an error that lies',
    `${f} { throw Object.assign(new Error('x'.repeat(1e6)), { code: 'y'.repeat(1e5) }); }`,
    /^y+$/,
  ],
  ['a syntax error', `\n${f} { return ( }`, /^ERR_IPC_SPAWN_FAILED$/, 2],
  ['an import', `import 'node:fs'; ${f} {}`, /^ERR_IPC_SPAWN_FAILED$/],
  ['a huge text', `${f} { return 'x'.repeat(2e6); }`, /^ERR_RULE_RESULT$/],
  ['many parts', `${f} { return Array.from({ length: 1e5 }, () => ({})); }`, /^ERR_IPC_LIMIT$/],
  ['a promise that is never settled', `${f} { return new Promise(() => {}); }`, /^ERR_IPC_TIMEOUT$/],
  ['a getter that loops', `${f} { return { get note() { for (;;); } }; }`, /^ERR_IPC_TIMEOUT$/],
  ['a note that is none', `${f} { return { note: 5 }; }`, /^ERR_RULE_RESULT$/],
  ['a list', `${f} { return ['a']; }`, /^ERR_RULE_RESULT$/],
  ['a function', `${f} { return () => 1; }`, /^ERR_IPC_NOT_CLONEABLE$/],
  ['no rule at all', 'export const rule = () => 1', /^ERR_IPC_NO_SUCH_METHOD$/],
];

test(
  'a rule that means harm is refused, the old one stays, and nobody else notices',
  { timeout: 180_000 },
  async () => {
    assert.equal((await post(good)).status, 200);
    for (const [title, text, code, line] of hostile) {
      const [{ status, data }] = await Promise.all([post(text), assertAlive()]);
      assert.equal(status, 422, title);
      assert.match(data.error?.code ?? '', code, `${title}: ${data.error?.message}`);
      assert.ok((data.error?.message.length ?? 0) > 0 || title === 'an error that lies', title);
      assert.ok(JSON.stringify(data).length < 2000, title);
      if (line !== undefined) assert.equal(data.error?.line, line, title);
      assert.equal(data.rule?.text, good, title);
    }
    assert.equal((await ruledOf(guide))?.note, 'alpha/docs/guide.md: 4');
  },
);

test('a reader who is refused gets his text back, and everything escaped', { timeout: 60_000 }, async () => {
  const { status, answer } = await post(`// </textarea><script>\n${hostile[5]?.[1]}`, 'text/html');
  assert.equal(status, 422);
  assert.match(answer.body, /<code>RangeError<\/code>, line 4: &#60;b&#62;no/);
  assert.match(answer.body, /<textarea[^>]*>\n\/\/ &#60;\/textarea&#62;&#60;script&#62;/);
  assert.doesNotMatch(answer.body, /<script|<b>no/);
});

test('harm to its own realm stays there', { timeout: 60_000 }, async () => {
  const { status } = await post(`${f} {
    page.__proto__.polluted = page.constructor.prototype.note = Array.prototype.polluted = 'bad';
    Object.prototype.hide = true;
    Object.defineProperty(Object.prototype, 'toJSON', { value: () => 'bad' });
    return { get note() { return 'a getter'; }, ['__proto__']: { hide: true }, constructor: 1, extra: 2 };
  }`);
  assert.equal(status, 200);
  assert.deepEqual(await ruledOf(guide), { note: 'a getter' });
  assert.equal('polluted' in {} || 'note' in {} || 'hide' in {} || 'polluted' in [], false);
  await assertAlive();
});

test('a rule that fails on pages is told there, and switched off', { timeout: 60_000 }, async () => {
  // The first document is the one that it is tried on.
  const { status } = await post(`${f} {
    if (page.path === 'beta/README.md') for (;;);
    if (page.path === 'alpha/docs/guide.md') throw new TypeError('not this one');
    return 'tried';
  }`);
  assert.equal(status, 200);
  const failed = async (url: string): Promise<string | undefined> => {
    const [ruled] = await Promise.all([ruledOf(url), ask('/'), ask('/?q=alpha')]);
    return ruled?.failed?.code;
  };
  assert.equal(await failed('/page/beta/README.md'), 'ERR_IPC_TIMEOUT');
  // On a busy machine a call may be late, too.
  const thrown = /^(?:TypeError|ERR_IPC_TIMEOUT)$/;
  // They have to be in a row.
  assert.deepEqual(await ruledOf(readme), { note: 'tried' });
  for (let failure = 1; failure < failures_max; failure++) assert.match((await failed(guide)) ?? '', thrown);
  assert.equal((await stateOf())?.state, 'on');
  const page = await ask(guide, 'text/html');
  assert.match(
    page.body,
    /page rule<\/a> failed on this page: <code>(?:TypeError<\/code>, line 3: not this one|ERR_IPC_TIMEOUT)/,
  );
  assert.match(page.body, /<h1[^>]*>Guide/);
  assert.deepEqual(await ruledOf(readme), { skipped: 'off' });
  assert.match((await ask(readme, 'text/html')).body, /is switched off: it failed on 3 pages in a row/);
  const shown = await ask('/rule', 'text/html');
  assert.match(shown.body, /is switched off.*alpha\/docs\/guide\.md.*<code>(?:TypeError|ERR_IPC_TIMEOUT)/);
  const { tasks } = JSON.parse((await ask('/system')).body) as Picture;
  assert.ok(!tasks.some(({ name }) => name.startsWith('rule')));
  assert.deepEqual((await post('')).data.rule, null);
});

test('readers who would wait too long for a rule do without', { timeout: 60_000 }, async () => {
  const page: RulePage = { path: 'a', title: 'a', text: '', headings: [] };
  const task: RuleTask = {
    run: () => new Promise((resolve) => setTimeout(resolve, 400, 'slow')),
    close: () => Promise.resolve(),
  };
  const rule = openPageRule({ openRule: () => Promise.resolve(task) });
  await rule.set('a rule', page);
  const all = await Promise.all(Array.from({ length: 12 }, () => rule.apply(() => Promise.resolve(page))));
  assert.deepEqual(all[0], { note: 'slow' });
  assert.deepEqual(all.at(-1), { skipped: 'busy' });
});

test('many rules at once are too many, and some are told so', { timeout: 60_000 }, async () => {
  const posted = await Promise.all(Array.from({ length: 8 }, () => post('export default () => "x"')));
  assert.deepEqual(
    posted.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 200, 200, 200, 503, 503, 503, 503],
  );
  assert.equal((await post('')).status, 200);
});

test('only a page of this site may change the rule, and a reader is sent back to it', { timeout: 60_000 }, async () => {
  for (const from of ['cross-site', 'same-site']) assert.equal((await post(good, undefined, from)).status, 403, from);
  assert.equal(await stateOf(), null);
  const { status, answer } = await post(good, 'text/html', 'same-origin');
  assert.deepEqual([status, answer.headers.location], [303, '/rule']);
  assert.equal((await stateOf())?.text, good);
  assert.equal((await post('')).status, 200);
});

test('over the socket: a form, JSON, and bodies that are neither', { timeout: 60_000 }, async () => {
  const send = async (body: string, type: string, method = 'POST'): Promise<[number, string]> => {
    const headers = { 'content-type': type, accept: 'application/json' };
    const url = `http://127.0.0.1:${open.port}/rule`;
    const response = await fetch(url, method === 'GET' ? { headers } : { method, headers, body });
    return [response.status, await response.text()];
  };
  const form = 'application/x-www-form-urlencoded';
  const text = '// é\r\nexport default () => "über"\r\n';
  assert.equal((await send(new URLSearchParams({ rule: text }).toString(), form))[0], 200);
  assert.equal((await stateOf())?.text, text.replaceAll('\r\n', '\n'));
  assert.equal((await send(JSON.stringify({ rule: '// \ud800' }), 'application/json'))[0], 422);
  assert.equal((await send('{}', 'application/json; charset=utf-8'))[0], 400);
  assert.equal((await send('{', 'application/json'))[0], 400);
  assert.equal((await send('null', 'application/json'))[0], 400);
  assert.equal((await send('{"rule":5}', 'application/json'))[0], 400);
  assert.equal((await send('x', 'text/plain'))[0], 400);
  assert.equal((await send(`rule=${'x'.repeat(rule_length_max + 1)}`, form))[0], 413);
  assert.equal((await send('x'.repeat(2_000_000), form))[0], 413);
  assert.equal((await send('x', form, 'PUT'))[0], 405);
  assert.equal((await send('', form, 'GET'))[0], 200);
  assert.equal((await send('{"rule":""}', 'application/json'))[0], 200);
});
