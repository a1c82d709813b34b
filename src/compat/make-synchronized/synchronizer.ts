/**
 * A module in a worker, as its host sees it: what a property is, is asked once and kept; a function is a function here
 * that calls the other.
 */
import { inspect } from 'node:util';
import { dataCloneError, Runner, type RunnerErrors } from '../runner.ts';
import type { Action, Source } from './runner.ts';
import type { Information, Path } from './value.ts';

type AnyFunction = (...args: any[]) => any;

const errors: RunnerErrors = {
  timedOut: (cause) => cause,
  notSent(cause, [, path, argumentsList]) {
    const requestData = { path, argumentsList };
    const error = dataCloneError(cause, `Cannot serialize request data:\n${inspect(requestData)}`);
    return Object.assign(error, { requestData });
  },
  notReturned: (cause) => new Error(`Cannot serialize worker response:\n${cause.message}`, { cause }),
};

const known = new Map<string, Synchronizer>();

/** The one synchronizer of a module in this thread. `runner` is the module of its worker. */
export function synchronizerOf(source: Source, runner: URL): Synchronizer {
  const key = JSON.stringify(source);
  const found = known.get(key) ?? new Synchronizer(source, runner);
  known.set(key, found);
  return found;
}

export class Synchronizer {
  private readonly source: Source;
  private readonly module: URL;
  private runner: Runner | null = null;
  private readonly information = new Map<string, Information>();
  private readonly keys = new Map<string, readonly string[]>();
  private readonly functions = new Map<string, AnyFunction>();
  private readonly objects = new Map<string, object>();

  constructor(source: Source, module: URL) {
    this.source = source;
    this.module = module;
  }

  /** States what is known without asking the worker. */
  learn(path: Path, information: Information): void {
    this.information.set(JSON.stringify(path), information);
  }

  describe(path: Path): Information {
    return kept(this.information, path, () => this.ask('describe', path) as Information);
  }

  get(path: Path): unknown {
    const information = this.describe(path);
    switch (information.type) {
      case 'function':
        return kept(this.functions, path, () => this.functionAt(path));
      case 'primitive':
        return information.value;
      case 'object':
        return kept(this.objects, path, () => this.objectAt(path, information));
      case 'unknown':
        return this.ask('get', path);
    }
  }

  /** The default export, a function, with the other exports as its properties. */
  defaultExport(): AnyFunction {
    return new Proxy(this.get(['default']) as AnyFunction, {
      get: (_, name) => this.get([name as string]),
    });
  }

  /** An object like a module's namespace. */
  namespace(): object {
    const module = Object.create(null, {
      [Symbol.toStringTag]: { value: 'Module', enumerable: false },
    }) as object;
    for (const name of kept(this.keys, [], () => this.ask('ownKeys', []) as readonly string[])) {
      Object.defineProperty(module, name, { get: () => this.get([name]), enumerable: true });
    }
    return module;
  }

  private ask(action: Action, path: Path, args: readonly unknown[] = []): unknown {
    this.runner ??= new Runner(this.module, {
      start: { source: this.source },
      timeout: undefined,
      errors,
    });
    const { runner } = this;
    try {
      return runner.call([action, path, args]);
    } finally {
      if (runner.isOver) {
        this.runner = null;
        runner.end();
      }
    }
  }

  private functionAt(path: Path): AnyFunction {
    return (...args: unknown[]) => this.ask('apply', path, args);
  }

  private objectAt(path: Path, { hasNullPrototype, properties }: Extract<Information, { type: 'object' }>): object {
    const object = (hasNullPrototype ? Object.create(null) : {}) as Record<string, unknown>;
    for (const [name, information] of properties) {
      if (information?.type === 'primitive') object[name] = information.value;
      else {
        const get = (): unknown => this.get([...path, name]);
        Object.defineProperty(object, name, { get, enumerable: true, configurable: true });
      }
    }
    return new Proxy(object, {
      get: (target, name, receiver) =>
        typeof name === 'symbol' || properties.has(name)
          ? (Reflect.get(target, name, receiver) as unknown)
          : this.get([...path, name]),
    });
  }
}

/** What the map holds for a path; made when it holds nothing. */
function kept<T>(map: Map<string, T>, path: Path, make: () => T): T {
  const key = JSON.stringify(path);
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
