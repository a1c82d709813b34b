/** Applies a mutant to the text of the kernel and says what catches it. */
import { bundleKernel, shippedText, type Texts } from '../bundle.ts';
import { commandsOn, differenceOf } from '../reference/commands.ts';
import { explore, type Failure } from '../search.ts';
import { scenarios } from '../scenarios.ts';
import { type Kernel, loadKernel, prepare, type Scenario } from '../system.ts';
import { type Mutant, REFERENCE } from './mutants.ts';
import { moreScenarios } from './scenarios.ts';

/** More preemptions than any mutant here takes. */
const PREEMPTIONS_MAX = 3;
/** A mutant that is not caught within this time is one that survives. */
const SEARCH_ms = 60_000;

export interface Catch {
  /** What was seen; null: nothing, the mutant survives. */
  readonly reason: string | null;
  /** The schedule that shows it, '' where there is none. */
  readonly schedule: string;
  /** Preemptions that the schedule needs; null for a search without a bound, or none. */
  readonly preemptions: number | null;
  readonly ms: number;
}

const seamNames = ['load', 'store', 'exchange', 'compareExchange', 'peek', 'poke'];

/** The import of the seam with all that the mutant's text uses of it: a wrong edit may need another operation. */
function withImports(text: string): string {
  const found = /import \{([^}]*)\} from '#atomics';/.exec(text);
  if (found === null) return text;
  const present = found[1]!.split(',').map((name) => name.trim());
  const missing = seamNames.filter((name) => !present.includes(name) && text.includes(`${name}(`));
  return text.replace(found[0], () => `import { ${[...present, ...missing].join(', ')} } from '#atomics';`);
}

/** The texts of the kernel with a mutant in them; throws when it no longer fits its source. */
export function textsWith({ name, file, find, replace }: Mutant): Texts {
  const path = `src/${file}`;
  const parts = shippedText(path).split(find);
  if (parts.length !== 2) throw new Error(`${name}: its text stands in ${path} ${parts.length - 1} times, not once`);
  return { [path]: withImports(parts.join(replace)) };
}

export function scenarioOf({ name, scenario }: Mutant): Scenario {
  const found = [...scenarios, ...moreScenarios].find((one) => one.name === scenario);
  if (found === undefined) throw new Error(`${name}: there is no scenario '${scenario}'`);
  return found;
}

/** With as few preemptions as it takes. */
function search(kernel: Kernel, mutant: Mutant, most: number): [Failure | null, number | null] {
  const { makeWorld, checkEnd } = prepare(kernel, scenarioOf(mutant));
  for (let preemptions = 0; preemptions <= most; preemptions++) {
    const { failure } = explore(makeWorld, checkEnd, { preemptions, ms: SEARCH_ms });
    if (failure !== null) return [failure, preemptions];
  }
  return [null, null];
}

/**
 * Tries to catch a mutant, with schedules of at most `most` preemptions. Throws when its text is no program: what does
 * not run cannot be caught.
 */
export async function catchMutant(mutant: Mutant, most: number = PREEMPTIONS_MAX): Promise<Catch> {
  const texts = textsWith(mutant);
  const began_ms = performance.now();
  const outcome = (reason: string | null, schedule: string, preemptions: number | null): Catch => ({
    reason,
    schedule,
    preemptions,
    ms: performance.now() - began_ms,
  });
  if (mutant.scenario === REFERENCE) return outcome(differenceOf(commandsOn(await bundleKernel(texts))), '', null);
  const [failure, preemptions] = search(await loadKernel(texts), mutant, most);
  if (failure === null) return outcome(null, '', null);
  if (/^\w*Error: /.test(failure.reason)) throw new Error(`${mutant.name} does not run: ${failure.reason}`);
  return outcome(failure.reason, failure.schedule, preemptions);
}
