/** How a call ended: as a value that goes from task to task. */
import { monotonic_ms } from './fixtures/stamp.ts';

export interface Ending {
  /** When its caller had it. */
  readonly at_ms: number;
  /** What the error is: its `code`, else its name; null when there was an answer. */
  readonly code: string | null;
  readonly message: string;
  /** Message of the error's cause, '' when it has none. */
  readonly cause: string;
}

function failed(error: unknown): Ending {
  const at_ms = monotonic_ms();
  const { name, code, message, cause } = error as Error & { code?: string };
  return { at_ms, code: code ?? name, message, cause: cause instanceof Error ? `${cause.name}: ${cause.message}` : '' };
}

const answered = (): Ending => ({ at_ms: monotonic_ms(), code: null, message: '', cause: '' });

export function endingOf(call: () => unknown): Ending {
  try {
    call();
    return answered();
  } catch (error) {
    return failed(error);
  }
}

export async function endingOfLater(call: () => Promise<unknown>): Promise<Ending> {
  try {
    await call();
    return answered();
  } catch (error) {
    return failed(error);
  }
}
