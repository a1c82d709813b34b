// One that passes, one that fails.
import { expect, test } from 'vitest';

test('three passes', () => expect(1 + 1).toBe(2));
test('three fails', () => expect(1 + 1).toBe(3));
