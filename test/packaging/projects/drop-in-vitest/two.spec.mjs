// One that passes, one that fails.
import { expect, test } from 'vitest';

test('two passes', () => expect(1 + 1).toBe(2));
test('two fails', () => expect(1 + 1).toBe(3));
