/**
 * A visitor with a browser: search, page, pattern and the system at work, in Chromium without a window. It is looked
 * for at CHROMIUM_PATH and /usr/bin/chromium; where there is none these tests are skipped and say so.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { executablePath, openBrowser } from './browser.ts';
import { makeFixture } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import { openSite } from './fixture-site.ts';
import type { OpenSite } from './fixture-site.ts';

const missing = existsSync(executablePath) ? false : `no Chromium: there is no ${executablePath}`;

describe('a visitor with a browser', { timeout: 90_000 }, () => {
  const options = { skip: missing };
  let fixture: Fixture;
  let site: OpenSite;
  let browser: Browser;
  let address = '';

  before(async () => {
    if (missing !== false) return;
    fixture = makeFixture();
    site = await openSite(fixture.folder, 'l3kernel');
    address = `http://127.0.0.1:${site.port}`;
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await site?.close();
    fixture?.remove();
  });

  /** Visits with `run`, and fails for anything that the browser complains of. */
  async function visit(window: BrowserContextOptions, run: (page: Page) => Promise<void>): Promise<void> {
    const context = await browser.newContext(window);
    const complaints: string[] = [];
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(20_000);
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('request', (request) => {
        if (!request.url().startsWith(address) && !request.url().startsWith('data:')) complaints.push(request.url());
      });
      await run(page);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  }

  const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 900 } };
  const phone: BrowserContextOptions = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

  test('a search leads to a page, and a pattern to its lines', options, async () => {
    await visit(desktop, async (page) => {
      await page.goto(address);
      await page.fill('#q', 'running servers');
      await page.click('.search button');
      await page.click('.results a >> text=Alpha');
      assert.match(page.url(), /\/page\/alpha\/README\.md$/);
      assert.equal(await page.textContent('article h1'), 'Alpha');
      assert.equal((await page.locator('article .hljs-keyword').count()) > 0, true);
      await page.click('article a >> text=the guide');
      assert.match(page.url(), /guide\.md#doc-first-steps$/);
      await page.fill('#q', '/^#+ first/i');
      await page.press('#q', 'Enter');
      await page.waitForSelector('.lines mark');
      assert.equal(await page.textContent('.lines mark'), '## First');
    });
  });

  test('the system is drawn, and comes alive with visitors', options, async () => {
    await visit(desktop, async (page) => {
      await page.goto(`${address}/system`);
      await page.waitForSelector('#picture svg');
      assert.deepEqual(
        (await page.locator('#picture .name').allTextContents()).sort(),
        (await page.locator('#tasks th').allTextContents()).sort(),
      );
      await page.click('#visitors');
      await page.waitForSelector('#picture .edge.busy .rate >> text=/\\d\\/s/');
      await page.waitForFunction(() => document.querySelectorAll('.edge.busy').length >= 4);
      assert.match((await page.textContent('#connection')) ?? '', /^Live/);
    });
  });

  test('a part breaks at the press of a button, and the page says what it did to the others', options, async () => {
    await visit(desktop, async (page) => {
      await page.goto(`${address}/system`);
      const row = page.locator('[data-kind="exit"]');
      await row.locator('button').click();
      await page.waitForFunction(
        () => document.querySelector('[data-kind="exit"] [data-cell="code"]')?.textContent === 'ERR_IPC_PEER_GONE',
      );
      assert.match((await row.locator('[data-cell="others"]').textContent()) ?? '', /^0 of [1-9]/);
      assert.match((await row.locator('[data-cell="error_ms"]').textContent()) ?? '', /^\d+(?:\.\d)?$/);
      await page.waitForFunction(() =>
        [...document.querySelectorAll('#tasks tr')].some(
          (line) => line.firstChild?.textContent === 'parse' && line.lastChild?.textContent === '1',
        ),
      );
    });
  });

  test('the buttons work without the script', options, async () => {
    await visit({ ...desktop, javaScriptEnabled: false }, async (page) => {
      await page.goto(`${address}/system`);
      await page.click('[data-kind="throw"] button');
      await page.waitForURL(/\/system#breaks$/);
      assert.equal(await page.textContent('[data-kind="throw"] [data-cell="code"]'), 'TypeError');
    });
  });

  test('a rule is written, refused, mended, seen on a page and removed', options, async () => {
    await visit({ ...desktop, javaScriptEnabled: false }, async (page) => {
      // What is refused is answered with 422, of which the browser complains.
      page.removeAllListeners('console');
      await page.goto(address);
      await page.click('.links a');
      const store = async (text: string): Promise<void> => {
        await page.fill('#rule', text);
        await page.click('.buttons button');
        await page.waitForLoadState();
      };
      await store('\nexport default (page) => {\n  return (;\n}');
      assert.match((await page.textContent('#refused')) ?? '', /line 3: SyntaxError/);
      assert.equal(await page.inputValue('#rule'), '\nexport default (page) => {\n  return (;\n}');
      await store('export default (page) => ({ note: `<b>${page.title}`, hide: true })');
      assert.match((await page.textContent('#status')) ?? '', /in force/);
      await page.goto(`${address}/page/alpha/README.md`);
      assert.match((await page.textContent('.ruled')) ?? '', /^<b>Alpha /);
      assert.equal(await page.isVisible('article'), false);
      await page.click('.away > summary');
      assert.equal(await page.isVisible('article h1'), true);
      await page.click('.ruled a');
      await store('');
      assert.match((await page.textContent('#status')) ?? '', /There is no rule/);
    });
  });

  test('nothing is wider than a telephone', options, async () => {
    const paths = [
      '/',
      '/?q=alpha',
      '/?q=%2Fx%2F',
      '/page/hostile/long.md',
      '/page/alpha/docs/guide.md',
      '/system',
      '/rule',
      '/no',
    ];
    await visit(phone, async (page) => {
      // The page that is not there is what the browser complains of, rightly.
      page.removeAllListeners('console');
      for (const path of paths) {
        await page.goto(address + path);
        if (path === '/system') await page.waitForSelector('#picture svg.narrow');
        const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok((content ?? 0) <= (window ?? 0), `${path} is ${content} wide in a window of ${window}`);
        assert.equal(window, 360, path);
      }
    });
  });
});
