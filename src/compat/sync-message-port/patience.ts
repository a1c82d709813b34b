/**
 * How long a reader spins before it sleeps. The rules are those of platform/patience.ts, without the kernel's memory
 * behind them: a port may be used in a thread that has no part in a system.
 */
import { spinLoads } from '../../platform/spin-loads.ts';
import { performance } from '../../platform/timers.ts';

/** About as long as a wakeup takes: to spin no longer than that costs at most twice the best there is. */
const LONG = 8 * spinLoads;
const CREDIT_MAX = 16;
/** Without credit every so many waits tries a long spin all the same. */
const PROBE = 8;
/** A sleep shorter than this was a wakeup and nothing else; so many in a row, and two threads share one core. */
const BRIEF_ms = 0.3;
const BRIEF_SLEEPS = 12;
/** Two ticks of the scheduler, which then moves the other thread to a free core. */
const SEPARATING = 600 * spinLoads;
const PAUSE_MIN_ms = 20;
const PAUSE_MAX_ms = 1280;

export class Patience {
  private credit = CREDIT_MAX;
  private probes = 0;
  private briefSleeps = 0;
  private pause_ms = PAUSE_MIN_ms;
  private separatesAt_ms = 0;

  /** Loads to spin in the next wait. */
  loads(): number {
    if (this.briefSleeps >= BRIEF_SLEEPS && this.separates()) return SEPARATING;
    this.probes = (this.probes + 1) % PROBE;
    return this.credit > 0 || this.probes === 0 ? LONG : spinLoads;
  }

  private separates(): boolean {
    const time_ms = performance.now();
    if (time_ms < this.separatesAt_ms) return false;
    this.briefSleeps = 0;
    this.separatesAt_ms = time_ms + this.pause_ms;
    this.pause_ms = Math.min(2 * this.pause_ms, PAUSE_MAX_ms);
    return true;
  }

  /** Tells how a spin of `loads` ended: with the message, or in a sleep. */
  learnSpin(loads: number, met: boolean): void {
    if (loads === SEPARATING) {
      if (met) this.pause_ms = PAUSE_MIN_ms;
    } else if (loads === LONG) {
      this.credit = met ? Math.min(this.credit + 1, CREDIT_MAX) : Math.max(this.credit - 1, 0);
    }
  }

  learnSleep(slept_ms: number): void {
    this.briefSleeps = slept_ms < BRIEF_ms ? this.briefSleeps + 1 : 0;
  }
}
