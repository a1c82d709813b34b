/** The loader of the plugin for webpack and rspack: see webpack.ts. */
import { findTasks, isWasm, replaceTasks } from './find.ts';
import { entryModule } from './webpack.ts';

interface Context {
  readonly resourcePath: string;
  getOptions(): { readonly type: string };
  callback(error: null, code: string, map?: unknown): void;
}

/** A `.wasm` file is an asset, as webpack makes of every other url. */
export default function loadTasks(this: Context, code: string, map?: unknown): void {
  const found = findTasks(code, this.resourcePath).filter(({ file }) => !isWasm(file));
  if (found.length === 0) {
    this.callback(null, code, map);
    return;
  }
  const options = JSON.stringify({ library: { type: this.getOptions().type } });
  const text = replaceTasks(
    code,
    found,
    ({ file }) =>
      `l3kernelEntry(/* webpackEntryOptions: ${options} */ new URL(${JSON.stringify(file)}, import.meta.url))`,
  );
  this.callback(null, `${text}\nimport { entry as l3kernelEntry } from ${JSON.stringify(entryModule)};\n`, map);
}
