// The build, then the server, asked once.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };
const next = 'node_modules/next/dist/bin/next';
const built = spawnSync(process.execPath, [next, 'build'], { env, stdio: ['ignore', 2, 2] });
assert.equal(built.status, 0);

const free = createServer().listen(0, '127.0.0.1');
await once(free, 'listening');
const { port } = free.address();
free.close();
await once(free, 'close');

const server = spawn(process.execPath, [next, 'start', '-H', '127.0.0.1', '-p', String(port)], {
  env,
  stdio: ['ignore', 'pipe', 2],
});
process.on('exit', () => server.kill('SIGKILL'));
for await (const chunk of server.stdout) if (/Ready/.test(chunk)) break;
const response = await fetch(`http://127.0.0.1:${port}/add`, { signal: AbortSignal.timeout(60_000) });
assert.deepEqual(await response.json(), { sum: 3, later: 23, isTask: true });
console.log('ok');
process.exit(0);
