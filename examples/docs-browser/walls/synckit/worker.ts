/** What the workers of this folder share: run the method that the first argument names. */
import { runAsWorker } from 'synckit';

type AnyFunction = (...args: unknown[]) => unknown;

export function runPart(part: object): void {
  const methods = part as Record<string, AnyFunction | undefined>;
  runAsWorker((method: string, ...args: unknown[]) => {
    const run = methods[method];
    if (!run) throw new Error(`the part has no function ${method}`);
    return run(...args);
  });
}
