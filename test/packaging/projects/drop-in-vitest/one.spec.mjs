// One that passes, one that fails.
import { expect, test } from 'vitest';

test('one passes', () => expect(1 + 1).toBe(2));
test('one fails', () => expect(1 + 1).toBe(3));
