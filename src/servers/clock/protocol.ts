/** What passes between the clock and its clients: message words only. */

/** A call: word 0 is the period in ms, 0 for no more ticks. The answer holds no words. */
export const METHOD_SET_TICK = 1;
/**
 * A send of the clock: word 0 is the time in ms since boot, word 1 how many periods have gone by since the last one.
 */
export const METHOD_TICK = 2;
/** A shorter period is none: the clock counts whole milliseconds. A longer one is no timer of Node. */
export const PERIOD_MIN_ms = 1;
export const PERIOD_MAX_ms: number = 2 ** 31 - 1;
