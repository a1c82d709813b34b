/**
 * Rings of waits that were broken: what is said of one, from the supervisor that broke it to the thread whose wait it
 * ended (slots in layout/map.ts). The kernel tells a victim its result code and nothing else.
 *
 * One agent writes, the victim reads. A slot is free when it names no victim; one that nobody has read (a program at
 * the low level need not) is used again when all are taken.
 */
import { compareExchange, load, peek, poke, store } from '#atomics';
import { processorOf } from '../kernel/park.ts';
import {
  RING_SEQUENCE,
  RING_SLOTS,
  RING_TEXT,
  RING_TEXT_BYTES,
  RING_TEXT_MAX,
  RING_VICTIM,
  ringAt,
} from '../layout/map.ts';
import { tcbOf, type ThreadId } from '../layout/tcb.ts';
import { agent } from './agent.ts';
import { putText, takeText } from './text.ts';

let cursor = 0;

/** States the text for the call `sequence` of thread `victim`; what is longer than RING_TEXT_MAX bytes is cut. */
export function putRing(victim: ThreadId, sequence: number, text: string): number {
  let slot = cursor;
  for (let tries = 0; tries < RING_SLOTS && load(ringAt(slot) + RING_VICTIM) !== 0; tries++) {
    slot = (slot + 1) % RING_SLOTS;
  }
  cursor = (slot + 1) % RING_SLOTS;
  const at = ringAt(slot);
  store(at + RING_VICTIM, 0);
  putText(at + RING_TEXT, at + RING_TEXT_BYTES, RING_TEXT_MAX, text);
  poke(at + RING_SEQUENCE, sequence);
  store(at + RING_VICTIM, victim);
  return slot;
}

/** Takes back what `putRing` stated: the wait of the victim had ended by itself. */
export const freeRing = (slot: number): void => store(ringAt(slot) + RING_VICTIM, 0);

/** What is said of the ring that the call `sequence` of a thread of this agent was in; null when nothing is. */
export function takeRing(sequence: number): string | null {
  for (let slot = 0; slot < RING_SLOTS; slot++) {
    const at = ringAt(slot);
    const victim = load(at + RING_VICTIM);
    if (victim === 0 || peek(at + RING_SEQUENCE) !== sequence) continue;
    if (processorOf(tcbOf(victim)) !== agent.processor) continue;
    const text = takeText(at + RING_TEXT, at + RING_TEXT_BYTES);
    // Used again while we read it: then it is not ours.
    if (compareExchange(at + RING_VICTIM, victim, 0) === victim) return text;
  }
  return null;
}
