/**
 * webpack and rspack. They know worker entries by the name of the function that a url is given to, so a loader gives
 * the urls of tasks to a function of ours that is declared to be such a one. What a task exports is to be exported by
 * its bundle, which webpack does not do for workers by itself: hence the `library`.
 */
import { fileURLToPath } from 'node:url';

type Dependency = object;

interface Module {
  readonly blocks?: readonly {
    readonly groupOptions?: { readonly entryOptions?: { readonly library?: unknown } };
    readonly dependencies: readonly Dependency[];
  }[];
}

/** As much of a compiler as is used here. */
interface Compilation {
  readonly hooks: { readonly finishModules: { tap(name: string, finish: (modules: Iterable<Module>) => void): void } };
  readonly moduleGraph: {
    getModule(dependency: Dependency): Module | null;
    getExportsInfo(module: Module): { setUsedInUnknownWay(runtime: undefined): boolean };
  };
}

interface Compiler {
  readonly options: {
    readonly module: { rules: unknown[]; parser?: Record<string, { worker?: unknown } | undefined> };
    readonly output: { module?: boolean; enabledLibraryTypes?: string[] };
    readonly experiments?: { outputModule?: boolean };
  };
  readonly hooks: { readonly compilation: { tap(name: string, begin: (compilation: Compilation) => void): void } };
}

/** What a task exports is called from outside, which webpack knows of the entries of the configuration only. */
function keepExports({ hooks, moduleGraph }: Compilation): void {
  hooks.finishModules.tap('l3kernel', (modules) => {
    for (const { blocks = [] } of modules) {
      for (const { groupOptions, dependencies } of blocks) {
        if (groupOptions?.entryOptions?.library === undefined) continue;
        for (const dependency of dependencies) {
          const task = moduleGraph.getModule(dependency);
          if (task !== null) moduleGraph.getExportsInfo(task).setUsedInUnknownWay(undefined);
        }
      }
    }
  });
}

// By way of the folder: this module may stand in one of shared chunks.
const loader = fileURLToPath(new URL('../unplugin/loader.js', import.meta.url));
export const entryModule: string = fileURLToPath(new URL('../unplugin/entry.js', import.meta.url));

export const webpack = (): { apply(compiler: Compiler): void } => ({
  apply({ options, hooks }) {
    hooks.compilation.tap('l3kernel', keepExports);
    const { module, output, experiments } = options;
    const isModule = output.module ?? experiments?.outputModule ?? false;
    const type = isModule ? 'module' : 'commonjs2';
    module.rules.push({ test: /\.[cm]?[jt]sx?$/, enforce: 'post', use: [{ loader, options: { type } }] });
    const parser = (module.parser ??= {});
    const javascript = (parser['javascript'] ??= {});
    const own = Array.isArray(javascript.worker) ? (javascript.worker as unknown[]) : ['...'];
    javascript.worker = [`entry() from ${entryModule}`, ...own];
    output.enabledLibraryTypes = [...(output.enabledLibraryTypes ?? ['...']), type];
  },
});
