/**
 * Chromium without a window, for the tests and for pictures. It is looked for at CHROMIUM_PATH, /usr/bin/chromium by
 * default.
 *
 * As a program (`node browser.ts ADDRESS FILE`) it takes the picture of docs/figures: `/system` of a site that runs at
 * ADDRESS, with visitors.
 */
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

export const executablePath: string = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

const flags = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  ...['--disable-sync', '--disable-dev-shm-usage'],
];

/** Starts it with a new profile in a temporary folder, which is removed with it. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args: flags });
}

async function takePicture(address: string, file: string): Promise<void> {
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1180, height: 900 }, deviceScaleFactor: 1.5 });
    await page.goto(`${address}/system`);
    await page.click('#visitors');
    await page.waitForFunction(() => document.querySelectorAll('.edge.busy').length >= 5);
    await page.waitForTimeout(4000);
    await page.screenshot({ path: file, fullPage: true });
  } finally {
    await browser.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [address, file] = process.argv.slice(2);
  if (address === undefined || file === undefined) {
    process.stderr.write('usage: node browser.ts http://127.0.0.1:8600 docs/figures/system.png\n');
    process.exit(2);
  }
  await takePicture(address, file);
}
