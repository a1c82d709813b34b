/**
 * The page `/system` as HTML: complete without its script, which then keeps it up to date and draws the picture.
 *
 * Invariant: what the script replaces has an id, and looks the same before and after: `page/system.js` fills the same
 * cells in the same order.
 */
import { breakTitles } from './fire.ts';
import type { Broken } from './fire.ts';
import type { SynckitFates } from './fire-synckit.ts';
import type { LiveTask, Picture } from './live.ts';
import { escape, frame } from './views.ts';
import { breakKinds } from './walls/walls.ts';
import type { BreakKind } from './walls/walls.ts';

export function systemPage(picture: Picture, { synckit, holds }: { synckit: SynckitFates; holds: boolean }): string {
  const body = `<h1>The system at work</h1>
<p class="lead">Each box is a task behind a wall of its own, each arrow says who calls whom, how often and how long a call takes. <span id="connection" role="status">Without its script this page shows one moment; load it again for another.</span></p>
${holds ? `<form class="inline" method="post" action="/system/visitors"><button id="visitors" type="submit">Send visitors for 20 s</button></form>` : `<p class="notice">These walls (${escape(picture.walls)}) cannot be looked into, and would not hold. Start with <code>--walls l3kernel</code>.</p>`}
<figure id="picture" class="picture" aria-hidden="true" hidden></figure>
${tasksTable(picture.tasks)}
${holds ? breaks(picture.broken, synckit) : ''}
<script type="module" src="/system/page.js"></script>`;
  return frame({ title: 'The system – docs browser', kind: 'system', body });
}

function tasksTable(tasks: readonly LiveTask[]): string {
  const heads = ['task', 'id', 'state', 'waits for', 'calls/s', 'served', 'bytes sent', 'restarts'];
  const rows = tasks.map((task) => {
    const cells = [
      ...[String(task.id), `<span class="state ${escape(task.state)}">${escape(task.state)}</span>`],
      ...[escape(task.partner ?? '–'), count(task.served_per_second), count(task.served)],
      ...[count(task.bytes), String(task.restarts)],
    ];
    return `<tr><th scope="row">${escape(task.name)}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `<section>
<h2>Tasks</h2>
<div class="scroll"><table class="tasks">
<thead><tr>${heads.map((title) => `<th scope="col">${title}</th>`).join('')}</tr></thead>
<tbody id="tasks">${rows.join('\n')}</tbody>
</table></div>
</section>`;
}

function breaks(broken: readonly Broken[], synckit: SynckitFates): string {
  const rows = breakKinds.map((kind) =>
    breakRow(
      kind,
      broken.find((outcome) => outcome.kind === kind),
      synckit[kind],
    ),
  );
  return `<section id="breaks">
<h2>Break something</h2>
<p>While a part breaks, requests that need other parts go on. The last columns say what became of them, and what synckit did in the same case, watched for two seconds.</p>
<table class="breaks">
<thead><tr><th scope="col">break</th><th scope="col">error of the call</th><th scope="col">ms to the error</th><th scope="col">ms to the next answer</th><th scope="col">others failed</th><th scope="col">synckit</th></tr></thead>
<tbody>${rows.join('\n')}</tbody>
</table>
</section>`;
}

function breakRow(kind: BreakKind, outcome: Broken | undefined, fate: string | undefined): string {
  const { title, where, does } = breakTitles[kind];
  const cells: [name: string, label: string, text: string][] = [
    ['code', 'error of the call', outcome?.code ?? '–'],
    ['error_ms', 'ms to the error', outcome ? ms(outcome.error_ms) : '–'],
    ['mended_ms', 'ms to the next answer', outcome ? ms(outcome.mended_ms) : '–'],
    ['others', 'others failed', outcome ? `${outcome.others_failed} of ${othersSent(outcome)}` : '–'],
  ];
  return `<tr data-kind="${kind}">
<th scope="row"><form method="post" action="/system/break/${kind}"><button type="submit" title="${escape(does)}">${escape(title)}</button></form><span>in ${escape(where)}</span></th>
${cells.map(([name, label, text]) => `<td data-cell="${name}" data-label="${label}">${escape(text)}</td>`).join('')}<td data-label="synckit">${escape(fate ?? '–')}</td>
</tr>`;
}

export const othersSent = (outcome: Broken): number => outcome.others_answered + outcome.others_failed;
export const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
