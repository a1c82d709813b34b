// A span of the task is a child of the program's.
import assert from 'node:assert/strict';
import { trace } from '@opentelemetry/api';
import { boot } from 'l3kernel';

const system = await boot({ timeout: 20_000 });
const traced = await system.spawn(new URL('./traced.mjs', import.meta.url));
assert.equal(traced.sync.parent(), undefined);
await trace.getTracer('main').startActiveSpan('outer', async (span) => {
  const { traceId, spanId } = span.spanContext();
  assert.deepEqual(traced.sync.parent(), { traceId, spanId });
  assert.deepEqual(await traced.async.parent(), { traceId, spanId });
  span.end();
});
await system.shutdown();
console.log('ok');
