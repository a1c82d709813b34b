/** Tests of the parsing part: what comes out of it is safe and bounded, whatever goes in. */
import assert from 'node:assert/strict';
import { test as nodeTest } from 'node:test';
import type { TestOptions } from 'node:test';
import { resolveLink } from './links.ts';
import { highlight } from './tasks/highlight.ts';
import { nesting_max } from './tasks/parse.ts';
import type { Page, Parser, Render } from './tasks/parse.ts';
import { parserNames, partModules } from './walls/walls.ts';

/** Nothing that a browser would run, load or follow without being asked. */
function assertHarmless(output: string, from: string): void {
  for (const [tag] of output.matchAll(/<[^>]*>/g)) {
    const name = /^<\/?([a-z0-9]+)/.exec(tag)?.[1] ?? '';
    assert.ok(
      !/^(?:script|style|iframe|object|embed|svg|math|form|input|button|link|meta|base|img|video|audio|template)$/.test(
        name,
      ),
      `${tag} from ${from}`,
    );
    assert.ok(!/\s(?:on\w+|style|src|srcset|action|formaction|background|ping)\s*=/i.test(tag), `${tag} from ${from}`);
    const href = / href="([^"]*)"/.exec(tag)?.[1];
    if (href !== undefined) assert.match(href, /^(?:https?:\/\/|mailto:|\/page\/|#)/, `${tag} from ${from}`);
  }
}

const hostile: Record<string, string> = {
  script: '<script>alert(1)</script>',
  'script in a heading': '# <script>alert(1)</script>',
  'script that is split': '<scr<script>ipt>alert(1)</scr</script>ipt>',
  'script in upper case': '<SCRIPT SRC=//evil.example/x.js></SCRIPT>',
  'event attribute': '<p onclick="alert(1)" onmouseover=alert(1)>x</p>',
  'image with an event': '<img src=x onerror=alert(1)>',
  'svg with a script': '<svg onload=alert(1)><script>alert(1)</script></svg>',
  'math and style': '<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>',
  noscript: '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
  iframe: '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  form: '<form action=//evil.example><input name=a><button formaction=javascript:alert(1)>x</button></form>',
  'meta and base': '<meta http-equiv=refresh content="0;url=//evil.example"><base href=//evil.example>',
  'javascript link': '[x](javascript:alert(1)) <a href="javascript:alert(1)">y</a>',
  'javascript link in disguise':
    '<a href="java\nscript:alert(1)">x</a> <a href=" &#1;javascript:alert(1)">y</a> <a href="JaVaScRiPt&colon;alert(1)">z</a>',
  'data and vbscript links':
    '[x](data:text/html,<script>alert(1)</script>) <a href="vbscript:x">y</a> <a href="data:text/html;base64,PHN=">z</a>',
  'reference that closes the attribute': '[x]: https://example.com/"onmouseover="alert(1)\n\n[x]',
  'title that closes the attribute': '[x](https://example.com "\\"onmouseover=\\"alert(1)")',
  'links with attributes of their own':
    '<a rel="opener" target=_blank id=x href=../b.md>a</a> <a href=y name=z>b</a> <a rel=me href=https://example.com ping=//evil.example>c</a>',
  'style attribute': '<p style="background:url(javascript:alert(1))">x</p>',
  'language that closes the class': '```"><script>alert(1)</script>\ncode\n```',
  'code that looks like a tag':
    '```js\n</code></pre><script>alert(1)</script>\n```\n\n```html\n<script>alert(1)</script>\n```',
  comment: '<!-- --><script>alert(1)</script><!--><img src=x onerror=alert(1)>-->',
  'cdata and processing instruction': '<![CDATA[<script>alert(1)</script>]]> <?php echo "<script>" ?>',
  'null bytes': '<scr\0ipt>alert(1)</scr\0ipt>\n\n[x](java\0script:alert(1))',
  'lone surrogates': '# \ud800 [x](javascript:\udfff)',
};

const heavy: Record<string, string> = {
  'quotes nested 10,000 deep': `${'>'.repeat(10_000)} x`,
  'lists nested 10,000 deep':
    Array.from({ length: 300 }, (_, depth) => `${'  '.repeat(depth)}- x`).join('\n') + `\n${'- '.repeat(10_000)}x`,
  'elements nested 10,000 deep': `${'<div>'.repeat(10_000)}x`,
  'emphasis nested 10,000 deep': `${'*a '.repeat(10_000)}${'b* '.repeat(10_000)}`,
  'brackets nested 10,000 deep': `${'['.repeat(10_000)}x${']'.repeat(10_000)}`,
  'a line of a megabyte': 'x'.repeat(2 ** 20),
  'a line of half a million words': 'a '.repeat(2 ** 19),
  'a table of 1,000 columns': `|${'a|'.repeat(1000)}\n|${'-|'.repeat(1000)}\n${`|${'b|'.repeat(1000)}\n`.repeat(50)}`,
  '20,000 headings of one name': '# a\n\n'.repeat(20_000),
  '20,000 unclosed headings': '<h1>'.repeat(20_000),
  'a code block of a megabyte': `\`\`\`js\n${'let a = [1, "x"]; '.repeat(60_000)}\n\`\`\``,
};

for (const parserName of parserNames) {
  const module = (await import(partModules(parserName).parse.href)) as Parser & { render: Render };
  const { draft, fill, parse, render, setDocuments } = module;
  const parsed = (markdown: string, by = highlight): Page => parse('a/README.md', markdown, by);
  const html = (markdown: string): string => parsed(markdown).html;
  const test = (title: string, ...rest: [run: () => void] | [options: TestOptions, run: () => void]): void =>
    void nodeTest(`${parserName}: ${title}`, ...(rest as [() => void]));
  setDocuments(['a/README.md', 'b.md']);

  for (const [name, markdown] of Object.entries(hostile)) {
    test(`parse makes ${name} harmless`, () => {
      assertHarmless(html(markdown), name);
      const blocks = draft('a/README.md', markdown);
      assert.deepEqual(fill(blocks.map(({ code, language }) => highlight(code, language))), parsed(markdown));
    });
  }

  test('parse sanitises what the highlighter answers', () => {
    const page = parsed('```js\nx\n```', () => '</code></pre><script>alert(1)</script><img src=x onerror=alert(1)>');
    assertHarmless(page.html, 'a hostile highlighter');
  });

  test('parse takes nothing in a document for the place of a code block', () => {
    const page = parsed('m0-0- $1 $& \n\n```js\nm0-1- $& $1\n```\n\n~~~ text\nx\n~~~', (code) => `[${code.trim()}]`);
    assert.equal(page.text.replace(/\s+/g, ' '), 'm0-0- $1 $& [m0-1- $& $1] [x]');
    assert.equal(page.blocks, 2);
  });

  test('links lead to the documents of the last list only', () => {
    assert.match(html('[x](../b.md)'), /href="\/page\/b.md"/);
    setDocuments(['a/README.md']);
    assert.doesNotMatch(html('[x](../b.md)'), /href/);
    setDocuments(['a/README.md', 'b.md']);
  });

  for (const [name, markdown] of Object.entries(heavy)) {
    test(`parse survives ${name}`, { timeout: 20_000 }, () => {
      const page = parsed(markdown);
      assertHarmless(page.html, name);
      assert.ok(page.html.length < 20 * markdown.length + 100_000);
      let depth = 0;
      let deepest = 0;
      for (const [, slash, tag] of page.html.matchAll(/<(\/?)(\w+)[^>]*>/g)) {
        if (tag === 'br' || tag === 'hr') continue;
        depth += slash ? -1 : 1;
        deepest = Math.max(deepest, depth);
      }
      assert.ok(deepest <= 250, `${deepest} elements in each other`);
    });
  }

  test('what the engine puts into itself is left out where it is too deep', () => {
    const { html: rendered } = render(`${'>'.repeat(100_000)} deep\n\n${'- '.repeat(50_000)}deeper\n`);
    assert.ok(rendered.split(/<(?:blockquote|ul)>/).length <= 2 * nesting_max + 2);
    assert.ok(rendered.split(/<\/(?:blockquote|ul)>/).length <= 2 * nesting_max + 2);
  });

  test('parse gives headings ids that links to them find', () => {
    const page = parsed('# Hello, *World*!\n\n## Same\n\n## Same\n\n[down](#hello-world)');
    assert.equal(page.title, 'Hello, World!');
    assert.deepEqual(
      page.headings.map(({ id }) => id),
      ['doc-hello-world', 'doc-same', 'doc-same-1'],
    );
    assert.match(page.html, /href="#doc-hello-world"/);
  });

  test('parse keeps ids of documents apart from those of the site', () => {
    assert.match(html('<a name="q">x</a> <p id="content">y</p>'), /<a id="doc-q">x<\/a>.*<p id="doc-content">/s);
  });

  test('parse shows pictures as their description', () => {
    assert.equal(
      html('![a <b> badge](https://example.com/x.png)').trim(),
      '<p><span class="image">a &lt;b&gt; badge</span></p>',
    );
  });

  test('parse collects the text that a reader sees', () => {
    assert.equal(
      parsed('# A\n\nb &amp; <b>c</b><!-- no -->\n\n| d | e |\n|---|---|\n| f | g |\n').text.replace(/\s+/g, ' '),
      'A b & c d e f g',
    );
  });

  test('parse leaves out front matter', () => {
    assert.equal(parsed('---\ntitle: x\n---\n# A\n').text, 'A');
  });
}

nodeTest('links lead to pages, to the world, or nowhere', () => {
  const known = new Set(['p/README.md', 'p/docs/a b.md', 'q/readme.md']);
  const link = (href: string): string | null => resolveLink(href, 'p/README.md', known);
  assert.equal(link('docs/a%20b.md#Über'), '/page/p/docs/a%20b.md#doc-%C3%9Cber');
  assert.equal(link('../q/'), '/page/q/readme.md');
  assert.equal(link('./docs/a b'), '/page/p/docs/a%20b.md');
  assert.equal(link('HTTPS://example.com/x'), 'HTTPS://example.com/x');
  assert.equal(link('//example.com/x'), 'https://example.com/x');
  for (const href of [
    '../../x.md',
    'missing.md',
    '',
    'file:///etc/passwd',
    'java\tscript:alert(1)',
    '%zz',
    '\\\\host\\x',
  ]) {
    assert.equal(link(href), null, href);
  }
});
