/**
 * Draws the plots of bench/results/: files in docs/figures, and one page that needs nothing else. ECharts writes SVG as
 * text, without a browser.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { init } from 'echarts';
import MarkdownIt from 'markdown-it';
import { figuresOf, WIDTH } from './figures.ts';
import type { Figure } from './figures.ts';
import { readResults } from './results.ts';
import type { Results } from './results.ts';
import { benchmarksPage } from './tables.ts';

const figuresFolder = fileURLToPath(new URL('../../docs/figures', import.meta.url));
const PREFIX = 'bench-';

/** The library counts its charts and styles within a process; in a picture they are counted anew, under its name. */
function ownNames(svg: string, name: string): string {
  const known = new Map<string, string>();
  return svg.replaceAll(/\bzr\d+-[\w-]+/g, (id) => {
    const own = known.get(id) ?? `${name}-${known.size}`;
    known.set(id, own);
    return own;
  });
}

/** The picture as text, the same for the same figures. */
export function draw({ name, option, height }: Figure): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption(option);
    return ownNames(chart.renderToSVGString(), name);
  } finally {
    chart.dispose();
  }
}

const pictures = (results: Results): Map<string, string> =>
  new Map(figuresOf(results).map((figure) => [figure.name, draw(figure)]));

const STYLE = `body { font: 15px/1.5 sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 13px }
td, th { border: 1px solid #ccc; padding: 2px 8px } th { background: #f3f3f3 }
td:not(:first-child) { white-space: nowrap } figure { margin: 1.5em 0 } svg { max-width: 100%; height: auto }`;

/** The page of the benchmarks with its pictures in it. */
export function pageHtml(results: Results): string {
  const drawn = pictures(results);
  const body = new MarkdownIt()
    .render(benchmarksPage(results))
    .replaceAll(
      /<p><img src="figures\/([\w-]+)\.svg"[^>]*><\/p>/g,
      (_, name: string) => `<figure>${drawn.get(name)!}</figure>`,
    )
    .replaceAll(/<a href="\.\.?\/[^"]*">(.*?)<\/a>/g, '$1');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>l3kernel: benchmarks</title>
<style>${STYLE}</style></head>
<body>
${body}</body></html>
`;
}

/** Writes the pictures that there are results for and takes away the others; gives their paths. */
export function writeFigures(results: Results, folder: string = figuresFolder): string[] {
  mkdirSync(folder, { recursive: true });
  const drawn = pictures(results);
  for (const file of readdirSync(folder)) {
    if (file.startsWith(PREFIX) && file.endsWith('.svg') && !drawn.has(file.slice(0, -'.svg'.length))) {
      rmSync(join(folder, file));
    }
  }
  return [...drawn].map(([name, svg]) => {
    const path = join(folder, `${name}.svg`);
    writeFileSync(path, `${svg}\n`);
    return path;
  });
}

/** For `l3 bench --report FILE.html`: the page, and the pictures of the documents. */
export function writePlots(file: string): readonly string[] {
  const results = readResults();
  const path = resolve(file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, pageHtml(results));
  return [path, ...writeFigures(results)];
}
