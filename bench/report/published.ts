/** Null calls of other systems, as their authors published them: of other machines, for the order of magnitude. */
export interface Published {
  readonly system: string;
  readonly figure: string;
  /** The figure as a time, where it is one. */
  readonly ns?: number;
  readonly source: string;
}

const PAPER = 'Liedtke, "Improving IPC by Kernel Design", SOSP 1993, Table 2';

export const PUBLISHED: readonly Published[] = [
  { system: 'L3, 486 at 50 MHz', figure: '10 µs', ns: 10_000, source: PAPER },
  { system: 'LRPC, C-VAX Firefly', figure: '157 µs', ns: 157_000, source: PAPER },
  { system: 'Mach, 486 at 50 MHz', figure: '230 µs', ns: 230_000, source: PAPER },
  { system: 'QNX, 486 at 33 MHz', figure: '76 µs', ns: 76_000, source: PAPER },
  {
    system: 'seL4, Skylake i7-6700, no mitigations',
    figure: '718 + 576 cycles',
    source: 'seL4 benchmarks, call and reply',
  },
  { system: 'seL4, Haswell i7-4770', figure: '775 + 646 cycles', source: 'seL4 benchmarks, call and reply' },
];

/** Those with times, as a plot needs them. */
export const PUBLISHED_ROWS: readonly { readonly system: string; readonly ns: number }[] = PUBLISHED.flatMap(
  ({ system, ns }) => (ns === undefined ? [] : [{ system, ns }]),
);
