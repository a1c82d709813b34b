/**
 * `/system`: the tasks at work as a picture, a stream of it, and buttons that break them.
 *
 * GET /system               the page, or the picture as JSON
 * GET /system/events        the picture once a second, as server-sent events
 * POST /system/break/KIND   breaks a part; its outcome as JSON, else back to the page
 * POST /system/visitors     the site sends itself requests for a while
 *
 * Invariant: only a page of this site can have its visitor's browser break something.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Broken, Fire } from './fire.ts';
import { openLive } from './live.ts';
import type { FireTable } from './fire-table.ts';
import { Busy } from './search.ts';
import type { Answer, Request, View } from './site.ts';
import { failurePage } from './views.ts';
import { systemPage } from './views-system.ts';
import { keepVisiting } from './visitors.ts';
import type { Visits } from './visitors.ts';
import { breakKinds } from './walls/walls.ts';
import type { Walls } from './walls/walls.ts';

const period_ms = 1000;
const streams_max = 32;
const visiting_ms = 20_000;
/** A break is more to look at while something goes on. */
const visiting_after_break_ms = 6000;

/** The page's script and the library that lays out its graph, from the installed packages. */
const scripts: Record<string, () => string> = {
  '/system/page.js': () => readFileSync(new URL('./page/system.js', import.meta.url), 'utf8'),
  '/system/dagre.js': () =>
    // Its map is not served.
    readFileSync(fileURLToPath(import.meta.resolve('@dagrejs/dagre')), 'utf8').replace(/^\/\/# sourceMapp.*$/m, ''),
};

/** Everything on the page is of this site, its styles and its scripts are files. */
const policy =
  "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export function isSystemPath(url: string): boolean {
  return /^\/system(?:[/?]|$)/.test(url);
}

export interface SystemPages {
  answer(request: Request): Promise<View | Answer>;
  /** Sends the visitors away. */
  close(): void;
}

export function createSystemPages(
  walls: Walls,
  fire: Fire | undefined,
  visits: Visits,
  search: () => Promise<unknown>,
  /** What is known from before, if anything; it may come later. */
  information: { fire?: FireTable },
): SystemPages {
  let visitors: { ends_ms: number; stop: AbortController } | undefined;
  let streams = 0;
  const live = openLive(walls, () => ({
    visitors: visitors !== undefined,
    breaking: fire?.breaking ?? null,
    broken: fire ? latest(fire.broken, information.fire?.broken ?? []) : [],
  }));

  /** Lets visitors come for a time from now on. */
  function visit(ms: number): void {
    const ends_ms = performance.now() + ms;
    if (visitors) {
      visitors.ends_ms = Math.max(visitors.ends_ms, ends_ms);
      return;
    }
    const group = { ends_ms, stop: new AbortController() };
    visitors = group;
    void keepVisiting(visits, search, group.stop.signal).finally(() => (visitors = undefined));
    const look = setInterval(() => {
      if (performance.now() < group.ends_ms) return;
      clearInterval(look);
      group.stop.abort();
    }, 200);
    look.unref();
  }

  async function change(path: string): Promise<View> {
    if (!fire) return refused(409, `These walls (${walls.name}) would not hold; start with --walls l3kernel.`);
    if (path === '/system/visitors') {
      visit(visiting_ms);
      return backToPage({ visitors: true, seconds: visiting_ms / 1000 });
    }
    const kind = breakKinds.find((known) => `/system/break/${known}` === path);
    if (!kind) return refused(404, `There is no such break. There are ${breakKinds.join(', ')}.`);
    visit(visiting_after_break_ms);
    return backToPage(await fire.breakPart(kind));
  }

  function events(): Answer {
    if (streams >= streams_max) throw new Busy('Too many are watching. Try again in a moment.');
    return {
      status: 200,
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' },
      body: '',
      stream(send) {
        streams++;
        const tell = (): void => send(`data: ${JSON.stringify(live.picture())}\n\n`);
        send('retry: 2000\n\n');
        tell();
        const timer = setInterval(tell, period_ms);
        return () => {
          clearInterval(timer);
          streams--;
        };
      },
    };
  }

  async function answer({ method, url, from }: Request): Promise<View | Answer> {
    const path = url.split('?', 1)[0] ?? '';
    const isReading = method === 'GET' || method === 'HEAD';
    if (path === '/system/visitors' || path.startsWith('/system/break/')) {
      if (method !== 'POST') return refused(405, 'Only POST is answered here.', { allow: 'POST' });
      if (isFromElsewhere(from)) return refused(403, 'Only a page of this site may ask for that.');
      return await change(path);
    }
    if (!isReading) return refused(405, 'Only GET and HEAD are answered here.', { allow: 'GET, HEAD' });
    if (path === '/system') {
      const picture = live.picture();
      const synckit = information.fire?.synckit ?? {};
      const html = (): string => systemPage(picture, { synckit, holds: fire !== undefined });
      return { status: 200, data: { ...picture, synckit }, html, headers: { 'content-security-policy': policy } };
    }
    if (path === '/system/events') return events();
    const script = scripts[path];
    if (!script) return refused(404, 'There is no such page.');
    const headers = { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'max-age=300' };
    return { status: 200, headers, body: script() };
  }

  return { answer, close: () => visitors?.stop.abort() };
}

/** Of each kind the later outcome. */
function latest(broken: Broken[], before: Broken[]): Broken[] {
  return [...before.filter(({ kind }) => !broken.some((later) => later.kind === kind)), ...broken];
}

function backToPage(data: object): View {
  return { status: 200, data, html: () => '', seeOther: '/system#breaks' };
}

/** Whether a page of another site made its visitor's browser ask. */
export function isFromElsewhere(from: string | undefined): boolean {
  return from !== undefined && from !== 'same-origin' && from !== 'none';
}

export function refused(status: number, message: string, headers: Record<string, string> = {}): View {
  return { status, data: { error: { status, message } }, html: () => failurePage(status, message, ''), headers };
}
