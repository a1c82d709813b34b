/**
 * The supervisor's looks at who waits for whom: what it does about what deadlock.ts and stall.ts find, and how often.
 * At each beat; and more often, for deadlocks, while any agent is blocked by a wait, for then there may be one.
 */
import { now_ms } from '#wait';
import { DEADLOCK_LOOK_ms } from '../../layout/params.ts';
import { holder } from '../../user/agent.ts';
import { METHOD_CONTEXT } from '../../rpc/context.ts';
import { METHOD_FIRST, METHOD_HOST } from '../../rpc/serve.ts';
import { breakDeadlocks } from './deadlock.ts';
import { reportStalls, type Stalls } from './stall.ts';
import { serviceTable } from './services.ts';
import type { MethodName } from './waits.ts';

/** The supervisor knows the names of what it started; those of local tasks it does not. */
export const methodName: MethodName = (task, number) => {
  const table = serviceTable(task);
  const method = number & ~METHOD_CONTEXT;
  return method >= METHOD_HOST ? table?.hostNames[method - METHOD_HOST] : table?.names[method - METHOD_FIRST];
};

let soon: NodeJS.Timeout | null = null;

export function lookForDeadlocks(): void {
  const mayBe = breakDeadlocks(holder(), methodName);
  if (!mayBe || soon !== null) return;
  soon = setTimeout(() => {
    soon = null;
    lookForDeadlocks();
  }, DEADLOCK_LOOK_ms);
}

const stalls: Stalls = new Map();

export function lookForStalls(sayLine: (line: string) => void): void {
  for (const line of reportStalls(stalls, now_ms(), methodName)) sayLine(line);
}
