/**
 * What synckit takes from the environment, and the TypeScript runners by name.
 */

export const TsRunner = {
  Node: 'node',
  Bun: 'bun',
  TsNode: 'ts-node',
  EsbuildRegister: 'esbuild-register',
  EsbuildRunner: 'esbuild-runner',
  OXC: 'oxc',
  SWC: 'swc',
  TSX: 'tsx',
} as const;
export type TsRunner = (typeof TsRunner)[keyof typeof TsRunner];

export interface GlobalShim {
  moduleName: string;
  /** Undefined: the module is loaded for its side effects. */
  globalName?: string;
  /** Undefined or empty: the default export; null: the whole module; else the export of this name. */
  named?: string | null;
  /** Unless false, a global that is there already is left alone. */
  conditional?: boolean;
}

const { SYNCKIT_EXEC_ARGV = '', SYNCKIT_GLOBAL_SHIMS = '', SYNCKIT_TIMEOUT, SYNCKIT_TS_RUNNER } = process.env;

export const DEFAULT_TIMEOUT: number | undefined = SYNCKIT_TIMEOUT ? Number(SYNCKIT_TIMEOUT) : undefined;
export const DEFAULT_EXEC_ARGV: string[] = SYNCKIT_EXEC_ARGV.split(',');
export const DEFAULT_TS_RUNNER: TsRunner | undefined = SYNCKIT_TS_RUNNER as TsRunner | undefined;
export const DEFAULT_GLOBAL_SHIMS: boolean = ['1', 'true'].includes(SYNCKIT_GLOBAL_SHIMS);
export const DEFAULT_GLOBAL_SHIMS_PRESET: GlobalShim[] = [
  { moduleName: 'node-fetch-native', globalName: 'fetch', named: 'fetch' },
  { moduleName: 'node:perf_hooks', globalName: 'performance', named: 'performance' },
];
