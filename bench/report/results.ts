/** What a run of all suites leaves in bench/results/, one JSON document each. A suite that was not run has none. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report as Constants } from '../constants/main.ts';
import type { Machine } from '../harness/machine.ts';
import type { ReportRow } from '../pingpong/report.ts';
import type { Report as Removals } from '../removal/main.ts';
import type { Report as Use } from '../use/main.ts';

/** What the suites of pairs have in a row. */
export type Row = Pick<
  ReportRow,
  'name' | 'ns' | 'floor_ns' | 'ratio' | 'p10' | 'p90' | 'floor' | 'method' | 'target' | 'p99_ns'
> &
  Partial<Pick<ReportRow, 'unit'>>;

export interface Rows {
  readonly machine: Machine;
  readonly rows: readonly Row[];
}

export interface Results {
  readonly pingpong?: Rows | undefined;
  readonly compat?: Rows | undefined;
  readonly rivals?: Rows | undefined;
  readonly removal?: Removals | undefined;
  readonly use?: Use | undefined;
  readonly constants?: Constants | undefined;
}

export const SUITES = ['pingpong', 'removal', 'compat', 'rivals', 'use', 'constants'] as const;

const kept = fileURLToPath(new URL('../results', import.meta.url));

/** The results in a folder: that of the repository, or a temporary one. */
export function readResults(folder: string = kept): Results {
  const documents = SUITES.flatMap((suite) => {
    const path = join(folder, `${suite}.json`);
    return existsSync(path) ? [[suite, JSON.parse(readFileSync(path, 'utf8')) as object] as const] : [];
  });
  return Object.fromEntries(documents) as Results;
}
