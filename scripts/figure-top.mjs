/**
 * Draws docs/figures/l3-top.svg: what `l3 top` shows of a running system, as a picture of its text. Run it by hand when
 * the table has changed: `node scripts/figure-top.mjs`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { developmentNode, onDevelopmentNode, root } from './toolchain.mjs';

await onDevelopmentNode(import.meta.url);
const { pictureOf } = await import('../src/cli/top.ts');
const { findSystems } = await import('../src/servers/inspect/api.ts');

const columns = 100;
const rows = 16;
const period_ms = 1000;
/** Of a common monospaced font of this size. */
const [fontSize, cellWidth, lineHeight, margin] = [13, 7.83, 18, 12];

/** The text of a system at work. */
async function picture() {
  const program = join(root, 'test/inspect/fixtures/shop.ts');
  const child = spawn(developmentNode(), [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    // The supervisor opens its socket a moment after it has started.
    await sleep(period_ms);
    const { systems } = await findSystems();
    const shop = systems.find(({ pid }) => pid === child.pid);
    if (shop === undefined) throw new Error('the system does not show itself');
    const before = await shop.ask();
    await sleep(period_ms);
    const after = await shop.ask();
    for (const system of systems) system.close();
    return pictureOf(before, after, { sort: 'ipc', isReversed: false }, columns, rows);
  } finally {
    child.kill('SIGKILL');
  }
}

/** @param {string} text */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** @param {readonly string[]} lines */
function svgOf(lines) {
  const width = Math.ceil(columns * cellWidth + 2 * margin);
  const height = lines.length * lineHeight + 2 * margin;
  const texts = lines.map((line, i) => {
    const y = margin + (i + 0.75) * lineHeight;
    // The table's titles stand out, as they should in a still picture.
    const weight = i === 1 ? ' font-weight="bold"' : '';
    return `  <text x="${margin}" y="${y}"${weight} xml:space="preserve">${escaped(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
  <title>l3 top on a running system</title>
  <style>text { font: ${fontSize}px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d8dee9 }</style>
  <rect width="100%" height="100%" rx="6" fill="#1c2128"/>
${texts.join('\n')}
</svg>
`;
}

const path = join(root, 'docs/figures/l3-top.svg');
const lines = await picture();
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, svgOf(lines));
process.stdout.write(`${lines.join('\n')}\n`);
