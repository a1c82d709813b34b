/** The floors' sides: what they leave behind when a block is given up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DISPLACED } from '../harness/interleave.ts';
import type { SecondAgent } from '../harness/agent.ts';
import { GIVEN_UP } from './cacheline.ts';
import { floorMemory, floorsOver, ownWords, PLACEMENT_WORDS } from './agent.ts';

/** An agent that never answers a round, and notes in which state the client's word is when its end is awaited. */
function deafAgent(words: Int32Array, client: number): { agent: SecondAgent; seen: number[] } {
  const seen: number[] = [];
  const agent: SecondAgent = {
    awaitDone: () => void seen.push(Atomics.load(words, client)),
    begin: () => {},
    stop: () => {},
  };
  return { agent, seen };
}

test('FLOOR-01: a client that gives up waits until its server has seen that', () => {
  const words = ownWords(1);
  const { agent, seen } = deafAgent(words, 0);
  const floors = floorsOver(agent, floorMemory(words));
  assert.equal(floors.cacheline(0, PLACEMENT_WORDS)(1), DISPLACED);
  assert.equal(seen.at(-1), GIVEN_UP);
});

test('FLOOR-02: the same for the floor of bytes', () => {
  const words = ownWords(1);
  const { agent, seen } = deafAgent(words, 0);
  const floors = floorsOver(agent, floorMemory(words, 4096));
  assert.equal(floors.bytes(0, PLACEMENT_WORDS, 4096)(1), DISPLACED);
  assert.equal(seen.at(-1), GIVEN_UP);
});
