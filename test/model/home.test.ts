/** As model.test.ts, with threads that share a processor. */
import { exploreInGate } from './gate.ts';

await exploreInGate('home');
