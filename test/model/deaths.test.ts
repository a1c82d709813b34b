/** As model.test.ts, with agents that are killed before any of their writes, and repaired. */
import { exploreInGate } from './gate.ts';

await exploreInGate('deaths');
