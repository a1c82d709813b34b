// What became of each test, the times left out. (Pools of processes are not in the drop-in.)
import { spawnSync } from 'node:child_process';

for (const pool of ['threads', 'vmThreads']) {
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--pool', pool, '--reporter', 'json'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const { testResults = [] } = stdout.startsWith('{') ? JSON.parse(stdout) : {};
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  console.log(pool, status, ...tests.map(({ title, status: state }) => `${title}: ${state}`).toSorted());
  if (tests.length !== 6) console.log(stdout, stderr);
}
console.log('ok');
