/**
 * Anything over an inspection socket, in any pieces: each line is answered by a line of JSON, or the connection ends;
 * the server goes on for others. FUZZ_MS sets the time, SEED replays a run.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { REQUEST, REQUEST_BYTES_MAX } from '../../src/servers/inspect/protocol.ts';
import { type OpenInspection, openInspection } from '../../src/servers/inspect/server.ts';
import '../support/kernel.ts';

const limits = {
  interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 3000),
  markInterruptAsFailure: false,
  seed: Number(process.env.SEED ?? Date.now() % 2 ** 31),
};
/** An answer takes a millisecond; who has none by then never will. */
const ANSWER_ms = 20_000;

const place = mkdtempSync(join(tmpdir(), 'l3-fuzz-'));
let inspection: OpenInspection;

before(() => {
  process.env.TMPDIR = place;
  inspection = openInspection({ name: 'fuzzed' });
  delete process.env.TMPDIR;
});
after(() => {
  inspection.close();
  rmSync(place, { recursive: true });
});

/** What comes back for these pieces, until the server or we end the connection. */
async function ask(pieces: readonly Uint8Array[]): Promise<string> {
  const socket = connect(inspection.path!);
  let text = '';
  socket.setEncoding('utf8').on('data', (more: string) => (text += more));
  // It may have been cut off while we still write.
  socket.on('error', () => {});
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(ANSWER_ms) });
  for (const piece of pieces) socket.write(piece);
  socket.end();
  await closed;
  return text;
}

const request = Buffer.from(`${REQUEST}\n`);
const piece = fc.oneof(
  fc.uint8Array({ maxLength: 2 * REQUEST_BYTES_MAX }),
  fc.constantFrom(request, request.subarray(0, 4), request.subarray(4), Buffer.from('\n'), Buffer.from('snapshot\r\n')),
);

test(`any bytes are answered line by line, or cut off, and the next one is served (SEED=${limits.seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      const lines = (await ask(pieces)).split('\n');
      assert.equal(lines.pop(), '', 'a line that is not whole');
      const sent = Buffer.concat(pieces).toString('latin1').split('\n').length - 1;
      assert.ok(lines.length <= sent, `${lines.length} answers to ${sent} lines`);
      for (const line of lines) {
        const { error, system } = JSON.parse(line) as { error?: string; system?: { name: string } };
        assert.ok(error !== undefined || system?.name === 'fuzzed');
      }
      const own = JSON.parse(await ask([request])) as { system: { name: string } };
      assert.equal(own.system.name, 'fuzzed');
    }),
    { numRuns: 100_000, ...limits },
  );
});
