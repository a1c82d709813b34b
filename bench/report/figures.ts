/**
 * The plots, as data for the chart library: what each shows, and nothing of how it is drawn (draw.ts). A plot whose
 * results are not there is none. Figures of time stand on logarithmic axes, for they differ by millions.
 */
import type { EChartsOption, SeriesOption } from 'echarts';
import type { Times } from '../use/main.ts';
import { PUBLISHED_ROWS } from './published.ts';
import type { Results, Row } from './results.ts';
import { seriesOf } from './scale.ts';

export interface Figure {
  /** Of its file, without the end. */
  readonly name: string;
  readonly caption: string;
  readonly height: number;
  readonly option: EChartsOption;
}

export const WIDTH = 860;
const ROW_HEIGHT = 26;
const CHROME_HEIGHT = 96;

const INK = '#333';
const FAINT = '#ddd';
export const COLORS: readonly string[] = ['#2b6cb0', '#dd6b20', '#2f855a', '#b83280', '#6b46c1', '#718096'];

/** A time on an axis: one digit is enough there. */
export function shortTime(ns: number): string {
  if (ns >= 1e9) return `${+(ns / 1e9).toPrecision(3)} s`;
  if (ns >= 1e6) return `${+(ns / 1e6).toPrecision(3)} ms`;
  if (ns >= 1e3) return `${+(ns / 1e3).toPrecision(3)} µs`;
  return `${+ns.toPrecision(3)} ns`;
}

function shortBytes(bytes: number): string {
  if (bytes >= 1 << 20) return `${bytes / (1 << 20)} MiB`;
  return bytes >= 1 << 10 ? `${bytes / (1 << 10)} KiB` : `${bytes} B`;
}

/** The library takes letters for narrower than they are, so that the entries need room. */
const LEGEND = {
  top: 34,
  left: 'center',
  itemWidth: 14,
  itemHeight: 10,
  itemGap: 28,
  textStyle: { color: INK },
} as const;
const LETTER_WIDTH = 6.8;

const axisStyle = {
  axisLine: { lineStyle: { color: INK } },
  axisLabel: { color: INK },
  splitLine: { lineStyle: { color: FAINT } },
} as const;

const decade = (value: number, up: boolean): number => 10 ** (up ? Math.ceil : Math.floor)(Math.log10(value));

const logAxis = (name: string, values: readonly number[], label: (value: number) => string): object => ({
  type: 'log',
  name,
  nameLocation: 'middle',
  nameGap: 30,
  min: decade(Math.min(...values), false),
  max: decade(Math.max(...values) * 1.001, true),
  ...axisStyle,
  axisLabel: { color: INK, formatter: label },
});

/** Names from top to bottom. */
const nameAxis = (names: readonly string[]): object => ({
  type: 'category',
  data: [...names],
  inverse: true,
  ...axisStyle,
  axisTick: { show: false },
  splitLine: { show: true, lineStyle: { color: FAINT, type: 'dotted' } },
});

/** `names` are those of the rows, if it has rows: they stand left of the plot. */
const base = (title: string, names: readonly string[] = [], withLegend = true): EChartsOption => ({
  animation: false,
  backgroundColor: '#fff',
  color: [...COLORS],
  textStyle: { fontFamily: 'sans-serif', color: INK },
  title: { text: title, left: 12, top: 8, textStyle: { fontSize: 15, color: INK } },
  ...(withLegend ? { legend: LEGEND } : {}),
  grid: {
    left: names.length === 0 ? 76 : 24 + Math.max(...names.map(({ length }) => length)) * LETTER_WIDTH,
    right: 36,
    top: withLegend ? 70 : 48,
    bottom: 52,
  },
});

const points = (name: string, data: readonly (readonly [number, number])[], symbol = 'circle'): SeriesOption => ({
  type: 'scatter',
  name,
  symbol,
  symbolSize: 9,
  itemStyle: { opacity: 1 },
  data: data.map((point) => [...point]),
});

/** A thin line from the one figure to the other, in each row. */
const whiskers = (ends: readonly (readonly [number, number])[]): SeriesOption => ({
  type: 'scatter',
  data: [],
  silent: true,
  markLine: {
    z: 1,
    symbol: 'none',
    silent: true,
    label: { show: false },
    lineStyle: { type: 'solid', color: '#999', width: 2 },
    data: ends.map(([from, to], row) => [{ coord: [from, row] }, { coord: [to, row] }]),
  },
});

const rowsHeight = (rows: number): number => CHROME_HEIGHT + rows * ROW_HEIGHT;

/** Rows in which times of several systems stand beside each other. */
const isScaled = ({ unit }: Row): boolean => unit?.startsWith('bytes') !== true;

/** Its floor is seconds of a core, and would take half the axis. */
const IDLE = 'idle.cpu';

function floors({ pingpong }: Results): Figure[] {
  const rows = (pingpong?.rows ?? []).filter(
    (row) => row.target !== undefined && 'ratio_max' in row.target && row.name !== IDLE,
  );
  if (rows.length === 0) return [];
  const targets = rows.map(({ target }) => (target as { ratio_max: number }).ratio_max);
  const all = [...rows.flatMap(({ p10, p90, ratio }) => [p10, p90, ratio]), ...targets];
  return [
    {
      name: 'bench-floors',
      caption: 'Calls in floors: median, p10 to p90, and what is wanted',
      height: rowsHeight(rows.length),
      option: {
        ...base(
          'Calls in floors: median, p10 to p90, and what is wanted',
          rows.map(({ name }) => name),
        ),
        color: [COLORS[5]!, ...COLORS],
        xAxis: logAxis('times the floor', all, String),
        yAxis: nameAxis(rows.map(({ name }) => name)),
        series: [
          whiskers(rows.map(({ p10, p90 }) => [p10, p90])),
          points(
            'measured',
            rows.map(({ ratio }, row) => [ratio, row]),
          ),
          points(
            'wanted, at most',
            targets.map((target, row) => [target, row]),
            'diamond',
          ),
        ],
      },
    },
  ];
}

const SIZES = {
  'worker.bytes': 'worker, low level',
  'worker.sync.bytes': 'worker, typed stub',
  'worker.lent.bytes': 'worker, lent and into',
  'worker.move': 'worker, moved',
  'wasm.bytes': 'wasm',
} as const;

function sizes({ pingpong }: Results): Figure[] {
  const lines = Object.entries(SIZES).map(([beginning, name]) => ({
    name,
    rows: (pingpong?.rows ?? []).flatMap((row) => {
      const bytes = row.name.startsWith(`${beginning}.`) ? Number(row.name.slice(beginning.length + 1)) : Number.NaN;
      return bytes > 0 ? [[bytes, row.ns, row.floor_ns] as const] : [];
    }),
  }));
  const floor = lines[0]!.rows.map(([bytes, , floor_ns]) => [bytes, floor_ns] as const);
  const drawn = [
    ...lines.map(({ name, rows }) => ({ name, data: rows.map(([bytes, ns]) => [bytes, ns] as const) })),
    { name: "the worker's floor", data: floor },
  ].filter(({ data }) => data.length > 1);
  if (drawn.length === 0) return [];
  const all = drawn.flatMap(({ data }) => data);
  return [
    {
      name: 'bench-sizes',
      caption: 'Bytes there and back, by size',
      height: 420,
      option: {
        ...base('Bytes there and back, by size'),
        xAxis: {
          ...logAxis(
            'bytes each way',
            all.map(([bytes]) => bytes),
            shortBytes,
          ),
          logBase: 2,
          min: 'dataMin',
          max: 'dataMax',
        },
        yAxis: {
          ...logAxis(
            '',
            all.map(([, ns]) => ns),
            shortTime,
          ),
        },
        series: drawn.map(({ name, data }) => ({
          type: 'line',
          name,
          data: data.map((point) => [...point]),
          symbolSize: 7,
          ...(name.endsWith('floor') ? { lineStyle: { type: 'dashed' } } : {}),
        })),
      },
    },
  ];
}

const SYSTEMS = [
  ...['local.passive', 'wasm.call', 'local.call', 'worker.call', 'worker.sync', 'worker.async'],
  ...['postMessage', 'synckit', 'comlink'],
];

function systems({ pingpong, rivals }: Results): Figure[] {
  const own = (pingpong?.rows ?? []).filter((row) => SYSTEMS.includes(row.name) && isScaled(row));
  const known = new Set(own.map(({ name }) => `null.${name}`));
  const others = (rivals?.rows ?? []).filter(
    ({ name }) => name.startsWith('null.') && !name.includes('l3kernel') && !known.has(name),
  );
  const bars = [
    ...own.map(({ name, ns }) => ({ name, ns, isOurs: /^(?:local|wasm|worker)\./.test(name) })),
    ...others.map(({ name, ns }) => ({ name: name.slice('null.'.length), ns, isOurs: false })),
  ].sort((a, b) => a.ns - b.ns);
  if (bars.length === 0) return [];
  const all = [...bars.map(({ ns }) => ns), ...PUBLISHED_ROWS.map(({ ns }) => ns)];
  const names = [...bars.map(({ name }) => name), ...PUBLISHED_ROWS.map(({ system }) => system)];
  const bar = (name: string, wanted: boolean): SeriesOption =>
    points(
      name,
      bars.flatMap(({ ns, isOurs }, row) => (isOurs === wanted ? [[ns, row] as const] : [])),
    );
  return [
    {
      name: 'bench-systems',
      caption: 'The null call across systems',
      height: rowsHeight(names.length),
      option: {
        ...base('The null call across systems', names),
        xAxis: logAxis('time of a call there and back', all, shortTime),
        yAxis: nameAxis(names),
        series: [
          bar('l3kernel', true),
          bar('others, in the same run', false),
          points(
            'published, on their machines',
            PUBLISHED_ROWS.map(({ ns }, row) => [ns, bars.length + row]),
            'diamond',
          ),
        ],
      },
    },
  ];
}

function removal({ removal: report }: Results): Figure[] {
  const rows = report?.rows ?? [];
  if (rows.length === 0) return [];
  const cells = ['worker.8', 'worker.4096', 'local.8', 'local.timeout'];
  const names = rows.map(({ name, kind }) => (kind === 'check' ? `check: ${name}` : name));
  const percentOf = (ratio: number): number => Math.round((ratio - 1) * 1000) / 10;
  return [
    {
      name: 'bench-removal',
      caption: 'What a call costs more without one technique or check',
      height: CHROME_HEIGHT + rows.length * 46,
      option: {
        ...base('What a call costs more without one technique or check', names),
        xAxis: { type: 'value', name: 'per cent', nameLocation: 'middle', nameGap: 30, ...axisStyle },
        yAxis: nameAxis(names),
        series: cells.map((cell) => ({
          type: 'bar',
          name: cell,
          data: rows.map((row) => {
            const found = row.cells.find(({ name }) => name === cell);
            return found === undefined ? '-' : percentOf(found.ratio);
          }),
        })),
      },
    },
  ];
}

const QUANTILES = [
  ['p50', 'p50_ns', 'circle'],
  ['p99', 'p99_ns', 'triangle'],
  ['p99.9', 'p999_ns', 'diamond'],
] as const satisfies readonly (readonly [string, keyof Times, string])[];

function use({ use: report }: Results): Figure[] {
  const rows = report?.rows ?? [];
  if (rows.length === 0) return [];
  const lines = rows.flatMap((row): (Times & { name: string; isOurs: boolean })[] => [
    { ...row, isOurs: true },
    { ...row.beside, name: `${row.name}, ${row.floor}`, isOurs: false },
  ]);
  const series = [true, false].flatMap((isOurs) =>
    QUANTILES.map(([label, what, symbol]) => ({
      ...points(
        `${isOurs ? 'l3kernel' : rows[0]!.floor} ${label}`,
        lines.flatMap((line, row) => (line.isOurs === isOurs ? [[line[what], row] as const] : [])),
        symbol,
      ),
      color: COLORS[isOurs ? 0 : 1]!,
    })),
  );
  return [
    {
      name: 'bench-use',
      caption: 'Calls in use: median and tails, beside postMessage',
      height: rowsHeight(lines.length),
      option: {
        ...base(
          'Calls in use: median and tails, beside postMessage',
          lines.map(({ name }) => name),
        ),
        xAxis: logAxis(
          'time of a call',
          lines.flatMap((line) => [line.p50_ns, line.p999_ns]),
          shortTime,
        ),
        yAxis: nameAxis(lines.map(({ name }) => name)),
        series: [whiskers(lines.map(({ p50_ns, p999_ns }) => [p50_ns, p999_ns])), ...(series as SeriesOption[])],
      },
    },
  ];
}

function scale(results: Results): Figure[] {
  const series = seriesOf(results).map(({ name, points: found }) => {
    const first = found[0]!.cost;
    return { name, data: found.map(({ size, cost }) => [size, cost / first] as const) };
  });
  if (series.length === 0) return [];
  const all = series.flatMap(({ data }) => data);
  return [
    {
      name: 'bench-scale',
      caption: 'How the cost grows with what is beside it',
      height: 460,
      option: {
        ...base('How the cost grows with what is beside it'),
        xAxis: logAxis(
          'number',
          all.map(([size]) => size),
          String,
        ),
        yAxis: logAxis(
          'times the first',
          all.map(([, cost]) => cost),
          String,
        ),
        series: series.map(({ name, data }) => ({
          type: 'line',
          name,
          data: data.map((point) => [...point]),
          symbolSize: 7,
        })),
      },
    },
  ];
}

function spins({ constants }: Results): Figure[] {
  const rows = (constants?.rows ?? []).filter(({ name }) => name.startsWith('spin.'));
  const names = {
    'spin.dense': 'one call after another',
    'spin.millisecond': 'one a millisecond',
    'spin.clients.3': '3 clients',
    'spin.clients.8': '8 clients',
  };
  const drawn = Object.entries(names).map(([cell, name]) => ({
    name,
    data: rows.map((row) => {
      const values = row.cells.find((candidate) => candidate.row === cell)?.values;
      return values?.['ns'] ?? values?.['each_ns'] ?? Number.NaN;
    }),
  }));
  const all = drawn.flatMap(({ data }) => data).filter(Number.isFinite);
  if (all.length === 0) return [];
  return [
    {
      name: 'bench-spins',
      caption: 'Time of a call by the length of the spin before a thread parks',
      height: 380,
      option: {
        ...base('Time of a call by the length of the spin before a thread parks'),
        xAxis: {
          type: 'category',
          name: 'loads',
          nameLocation: 'middle',
          nameGap: 30,
          data: rows.map(({ name }) => name.slice('spin.'.length)),
          ...axisStyle,
        },
        yAxis: logAxis('', all, shortTime),
        series: drawn.map(({ name, data }) => ({
          type: 'line',
          name,
          symbolSize: 7,
          data: data.map((ns) => (Number.isFinite(ns) ? ns : '-')),
        })),
      },
    },
  ];
}

function messages({ constants }: Results): Figure[] {
  const row = constants?.rows.find(({ name }) => name === 'sizes');
  if (row === undefined) return [];
  return [
    {
      name: 'bench-messages',
      caption: 'Sizes of the messages of a whole program, in per cent of all',
      height: 340,
      option: {
        ...base('Sizes of the messages of a whole program', [], false),
        xAxis: {
          type: 'category',
          name: 'bytes, at most',
          nameLocation: 'middle',
          nameGap: 30,
          data: row.cells.map((cell) => (cell.row === 'more' ? 'more' : shortBytes(Number(cell.row)))),
          ...axisStyle,
          axisLabel: { color: INK, interval: 0, fontSize: 10 },
        },
        yAxis: { type: 'value', ...axisStyle, axisLabel: { color: INK, formatter: '{value} %' } },
        series: [
          {
            type: 'bar',
            label: { show: true, position: 'top', formatter: '{c} %', fontSize: 9, color: INK },
            data: row.cells.map(({ values }) => Math.round(values['share']! * 1e4) / 100),
          },
        ],
      },
    },
  ];
}

const FIGURES = [floors, sizes, systems, use, removal, scale, spins, messages];

/** The plots of what has been measured, in the order of the page. */
export const figuresOf = (results: Results): Figure[] => FIGURES.flatMap((figure) => figure(results));
