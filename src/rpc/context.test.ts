/** The trace context, with something in the place of OpenTelemetry's API. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { contextCapturer, inContext } from './context.ts';

const KEY = Symbol.for('opentelemetry.js.api.1');
const agent = globalThis as { [KEY]?: unknown };

let active: unknown = 'root';
const telemetry = {
  context: {
    active: () => active,
    with: (context: unknown, run: () => unknown) => {
      const before = active;
      active = context;
      try {
        return run();
      } finally {
        active = before;
      }
    },
  },
  propagation: {
    inject: (context: unknown, carrier: object, setter: any) => {
      if (context !== 'root') setter.set(carrier, 'traceparent', `00-${String(context)}-01`);
    },
    extract: (_: unknown, carrier: object, getter: any) => `of ${getter.get(carrier, 'traceparent')}`,
  },
};

afterEach(() => {
  delete agent[KEY];
  active = 'root';
});

test('there is nothing to carry without a context', () => {
  assert.equal(contextCapturer(), null);
  agent[KEY] = { context: telemetry.context };
  assert.equal(contextCapturer(), null);
});

test('the fields of the trace are carried, when there is a trace', () => {
  agent[KEY] = telemetry;
  const capture = contextCapturer()!;
  assert.equal(capture(), undefined);
  active = 'span';
  assert.deepEqual(capture(), [undefined, { traceparent: '00-span-01' }]);
});

test('a handler runs in the trace of its caller, and without one where there is no API', () => {
  const handler = inContext((x) => [x, active]);
  const sent = [undefined, { traceparent: '00-span-01' }];
  assert.deepEqual(handler(1, sent), [1, 'root']);
  agent[KEY] = telemetry;
  assert.deepEqual(handler(1, sent), [1, 'of 00-span-01']);
  assert.equal(active, 'root');
});
