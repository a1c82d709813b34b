/**
 * The script of `/system`: takes the picture from the stream, once a second, draws it and fills the tables; and sends
 * the buttons' requests without leaving the page.
 *
 * dagre says where the boxes and arrows go, again when a task or an arrow is new or the window became narrow; in
 * between only texts and classes change. Everything is made by `textContent` and attributes: no text becomes markup.
 */
import { graphlib, layout } from './dagre.js';

/** @typedef {import('../live.ts').Picture} Picture */
/** @typedef {import('../live.ts').LiveTask} LiveTask */
/** @typedef {import('../live.ts').LiveEdge} LiveEdge */
/** @typedef {import('../fire.ts').Broken} Broken */
/** @typedef {{ x: number, y: number }} Point */

const svgNamespace = 'http://www.w3.org/2000/svg';
const narrowWindow = matchMedia('(max-width: 40rem)');
const figure = /** @type {HTMLElement} */ (document.getElementById('picture'));
const connection = document.getElementById('connection');

/** Sizes in CSS pixels of a box and of an arrow's label, and the distances between them. */
const sizes = {
  wide: { box: [190, 78], label: [110, 44], ranksep: 40, nodesep: 24, rankdir: 'LR' },
  narrow: { box: [85, 66], label: [58, 36], ranksep: 16, nodesep: 4, rankdir: 'TB' },
};

/** What a kind of task is called where the name alone does not say it. @type {Record<string, string>} */
const kinds = { main: 'main thread', supervisor: 'parent of all' };

/** What the drawing consists of, to know when another one is needed. */
let drawn = '';
/** @type {Map<string, SVGGElement>} */
const groups = new Map();
/** The id that each task had, to see that it was started again. @type {Map<string, number>} */
const ids = new Map();

/** @param {string} name @param {Record<string, string | number>} attributes @param {...(Node | string)} children */
function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** @param {number} value */
const count = (value) => Math.round(value).toLocaleString('en');
/** @param {number} value */
const short = (value) => {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  return value > 0 && value < 10 ? value.toFixed(1) : count(value);
};
/** @param {number} us */
const time = (us) => {
  if (us >= 1e6) return `${(us / 1e6).toFixed(1)} s`;
  if (us >= 1000) return `${(us / 1000).toFixed(us < 1e4 ? 1 : 0)} ms`;
  return `${us.toFixed(us < 10 ? 1 : 0)} µs`;
};
/** @param {number} ms */
const milliseconds = (ms) => ms.toFixed(ms < 10 ? 1 : 0);

/** Where everything goes. @param {Picture} picture @param {boolean} isNarrow */
function place(picture, isNarrow) {
  const size = isNarrow ? sizes.narrow : sizes.wide;
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: size.rankdir, ranksep: size.ranksep, nodesep: size.nodesep, marginx: 3, marginy: 3 });
  for (const { name } of picture.tasks) graph.setNode(name, { width: size.box[0], height: size.box[1] });
  for (const { from, to } of picture.edges) {
    if (graph.hasNode(from) && graph.hasNode(to) && from !== to)
      graph.setEdge(from, to, { width: size.label[0], height: size.label[1], labelpos: 'c' });
  }
  layout(graph);
  return graph;
}

/**
 * An arrow that goes forward leaves in the middle of a side and arrives in the middle of one; one that closes a ring
 * stays as it is.
 * @param {Point[]} points
 * @param {Point & { width: number, height: number }} from
 * @param {Point & { width: number, height: number }} to
 * @param {boolean} isNarrow
 */
function fromSideToSide(points, from, to, isNarrow) {
  const between = points.slice(1, -1);
  const { x, y } = to;
  if (isNarrow) {
    if (from.y >= y) return points;
    return [{ x: from.x, y: from.y + from.height / 2 }, ...between, { x, y: y - to.height / 2 }];
  }
  if (from.x >= x) return points;
  return [{ x: from.x + from.width / 2, y: from.y }, ...between, { x: x - to.width / 2, y }];
}

/** A smooth line through the points: straight ends, and a curve round each point between. @param {Point[]} points */
function line(points) {
  const [first, ...others] = points;
  const last = others.pop();
  if (!first || !last) return '';
  let path = `M${first.x},${first.y}`;
  others.forEach((point, index) => {
    const next = others[index + 1] ?? last;
    const end = index === others.length - 1 ? last : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    path += `Q${point.x},${point.y} ${end.x},${end.y}`;
  });
  return others.length ? path : `${path}L${last.x},${last.y}`;
}

/** Draws everything anew. @param {Picture} picture @param {boolean} isNarrow */
function draw(picture, isNarrow) {
  const graph = place(picture, isNarrow);
  const { width = 0, height = 0 } = graph.graph();
  groups.clear();
  const marker = (/** @type {string} */ id) =>
    svg(
      'marker',
      {
        id,
        viewBox: '0 0 8 8',
        refX: 7,
        refY: 4,
        markerWidth: 8,
        markerHeight: 8,
        orient: 'auto',
        markerUnits: 'userSpaceOnUse',
      },
      svg('path', { d: 'M0,0.5L8,4L0,7.5Z' }),
    );
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, class: isNarrow ? 'narrow' : 'wide' });
  root.append(svg('defs', {}, marker('arrow'), marker('arrow-waiting')));
  for (const { v, w } of graph.edges()) {
    const { points, x, y } = graph.edge(v, w);
    const path = line(fromSideToSide(points, graph.node(v), graph.node(w), isNarrow));
    const group = svg(
      'g',
      { class: 'edge' },
      svg('path', { class: 'line', d: path }),
      svg('path', { class: 'flow', d: path }),
      svg('text', { class: 'rate', x, y: y - 6 }),
      svg('text', { class: 'mean', x, y: y + (isNarrow ? 12 : 16) }),
    );
    groups.set(`${v} ${w}`, /** @type {SVGGElement} */ (group));
    root.append(group);
  }
  for (const name of graph.nodes()) {
    const { x, y, width: w, height: h } = graph.node(name);
    const [left, top] = [x - w / 2, y - h / 2];
    const group = svg(
      'g',
      { class: 'task' },
      svg('title'),
      svg('rect', { x: left, y: top, width: w, height: h, rx: 10 }),
      svg('circle', { cx: left + (isNarrow ? 11 : 17), cy: top + (isNarrow ? 18 : 20), r: isNarrow ? 3.5 : 4.5 }),
      svg(
        'text',
        {
          class: name.length > 8 ? 'name long' : 'name',
          x: left + (isNarrow ? 19 : 28),
          y: top + (isNarrow ? 22 : 25),
        },
        name,
      ),
      svg('text', { class: 'state', x: left + (isNarrow ? 8 : 13), y: top + (isNarrow ? 39 : 46) }),
      svg('text', { class: 'served', x: left + (isNarrow ? 8 : 13), y: top + (isNarrow ? 55 : 65) }),
    );
    groups.set(name, /** @type {SVGGElement} */ (group));
    root.append(group);
  }
  figure.replaceChildren(root, legend());
  figure.hidden = false;
}

function legend() {
  const list = document.createElement('figcaption');
  for (const [state, text] of [
    ['receiving', 'waits for any request'],
    ['running', 'on the CPU'],
    ['waiting', 'waits for another task'],
    ['dead', 'gone'],
  ]) {
    const entry = document.createElement('span');
    entry.className = `state ${state}`;
    entry.textContent = text ?? '';
    list.append(entry);
  }
  return list;
}

/** @param {string} key @param {string} part @param {string} text */
function setText(key, part, text) {
  const element = groups.get(key)?.querySelector(`.${part}, ${part}`);
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {LiveTask} task @param {boolean} isNarrow */
function updateTask(task, isNarrow) {
  const { name, id, kind, state } = task;
  const before = ids.get(name);
  ids.set(name, id);
  const group = groups.get(name);
  group?.setAttribute('class', `task ${state}`);
  if (before !== undefined && before !== id) {
    // Taking an animation away and giving it back starts it again.
    group?.getBoundingClientRect();
    group?.classList.add('reborn');
  }
  setText(name, 'state', isNarrow ? state : `${kinds[kind] ?? kind} · ${state}`);
  const served = isNarrow ? short(task.served) : `${count(task.served)} calls served`;
  setText(name, 'served', kind === 'main' || kind === 'supervisor' ? '' : served);
  setText(name, 'title', `${name}, id ${id}, ${state}${task.partner ? `, waits for ${task.partner}` : ''}`);
}

/** @param {LiveEdge} edge */
function updateEdge({ from, to, calls_per_second, mean_us, waiting, calls }) {
  const key = `${from} ${to}`;
  const group = groups.get(key);
  const busy = calls_per_second > 0 ? ' busy' : '';
  group?.setAttribute('class', `edge${busy}${waiting ? ' waiting' : ''}`);
  group?.style.setProperty('--load', String(Math.min(5, 1 + Math.log10(1 + calls_per_second))));
  setText(key, 'rate', calls_per_second > 0 ? `${short(calls_per_second)}/s` : waiting ? 'waits' : '0/s');
  setText(key, 'mean', calls > 0 ? time(mean_us) : '');
}

/** @param {LiveTask[]} tasks */
function fillTasks(tasks) {
  const body = document.getElementById('tasks');
  body?.replaceChildren(
    ...tasks.map((task) => {
      const row = document.createElement('tr');
      const head = document.createElement('th');
      head.scope = 'row';
      head.textContent = task.name;
      const state = document.createElement('span');
      state.className = `state ${task.state}`;
      state.textContent = task.state;
      const cells = [
        ...[String(task.id), state, task.partner ?? '–', count(task.served_per_second), count(task.served)],
        ...[count(task.bytes), String(task.restarts)],
      ];
      row.append(head, ...cells.map(cell));
      return row;
    }),
  );
}

/** @param {Node | string} content */
function cell(content) {
  const element = document.createElement('td');
  element.append(content);
  return element;
}

/** @param {Picture} picture */
function fillBreaks({ broken, breaking }) {
  for (const row of document.querySelectorAll('[data-kind]')) {
    const kind = row.getAttribute('data-kind');
    const outcome = broken.find((known) => known.kind === kind);
    row.classList.toggle('breaking', kind === breaking);
    if (outcome) fillOutcome(row, outcome);
  }
}

/** @param {Element} row @param {Broken} outcome */
function fillOutcome(row, outcome) {
  const { code, error_ms, mended_ms, others_failed, others_answered } = outcome;
  const texts = {
    code,
    error_ms: milliseconds(error_ms),
    mended_ms: milliseconds(mended_ms),
    others: `${others_failed} of ${others_failed + others_answered}`,
  };
  for (const [name, text] of Object.entries(texts)) {
    const element = row.querySelector(`[data-cell="${name}"]`);
    if (element && element.textContent !== text) element.textContent = text;
  }
}

/** @param {Picture} picture */
function show(picture) {
  const isNarrow = narrowWindow.matches;
  const parts = [...picture.tasks.map(({ name }) => name), ...picture.edges.map(({ from, to }) => `${from} ${to}`)];
  const wanted = `${isNarrow} ${parts.sort().join()}`;
  if (picture.tasks.length && wanted !== drawn) {
    draw(picture, isNarrow);
    drawn = wanted;
  }
  for (const task of picture.tasks) updateTask(task, isNarrow);
  for (const edge of picture.edges) updateEdge(edge);
  fillTasks(picture.tasks);
  fillBreaks(picture);
  const visitors = /** @type {HTMLButtonElement | null} */ (document.getElementById('visitors'));
  if (visitors) visitors.disabled = picture.visitors;
}

/** Sends a form's request and stays here; what came of it is in the next picture. @param {SubmitEvent} submit */
async function send(submit) {
  const form = /** @type {HTMLFormElement} */ (submit.target);
  if (form.method !== 'post') return;
  submit.preventDefault();
  const button = /** @type {HTMLButtonElement | null} */ (form.querySelector('button'));
  if (button) button.disabled = true;
  const row = form.closest('[data-kind]');
  row?.classList.add('breaking');
  try {
    const response = await fetch(form.action, { method: 'POST', headers: { accept: 'application/json' } });
    const answer = await response.json();
    if (!response.ok) say(answer.error.message);
    else if (row) fillOutcome(row, answer);
  } catch {
    say('The site does not answer.');
  } finally {
    if (button && button.id !== 'visitors') button.disabled = false;
    row?.classList.remove('breaking');
  }
}

/** @param {string} text */
function say(text) {
  if (connection) connection.textContent = text;
}

document.addEventListener('submit', (submit) => void send(submit));
const stream = new EventSource('/system/events');
stream.addEventListener('open', () => say('Live, once a second.'));
stream.addEventListener('error', () => say('The site does not answer; trying again.'));
stream.addEventListener('message', ({ data }) => show(JSON.parse(data)));
