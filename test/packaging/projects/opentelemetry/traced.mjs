// Whose child a span of this task would be.
import { trace } from '@opentelemetry/api';

export function parent() {
  const span = trace.getActiveSpan();
  if (span === undefined) return undefined;
  const { traceId, spanId } = span.spanContext();
  return { traceId, spanId };
}
