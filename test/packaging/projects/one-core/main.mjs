// On one core calls work, and an idle system uses none of it: by affinity, and by a quota where cgroups may be made.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const idle = [process.execPath, fileURLToPath(new URL('./idle.mjs', import.meta.url))];

function run(command, ...args) {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' });
  assert.equal(status, 0, `${command}: ${stderr}`);
}

/** A cgroup with the quota of one core; null where none can be made. */
function makeQuota() {
  const name = `l3-one-core-${process.pid}`;
  const versions = [
    [
      `/sys/fs/cgroup/cpu/${name}`,
      [
        ['cpu.cfs_period_us', '100000'],
        ['cpu.cfs_quota_us', '100000'],
      ],
    ],
    [`/sys/fs/cgroup/${name}`, [['cpu.max', '100000 100000']]],
  ];
  for (const [folder, files] of versions) {
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    try {
      for (const [file, text] of files) writeFileSync(`${folder}/${file}`, text, { flag: 'r+' });
      return folder;
    } catch {
      rmdirSync(folder);
    }
  }
  return null;
}

if (spawnSync('taskset', ['-c', '0', 'true']).status === 0) run('taskset', '-c', '0', ...idle);
else run(...idle);
const quota = makeQuota();
if (quota !== null) {
  try {
    run('sh', '-c', `echo $$ > ${quota}/cgroup.procs && exec "$0" "$@"`, ...idle);
  } finally {
    rmdirSync(quota);
  }
}
console.log(quota === null ? 'no quota can be set here' : 'with a quota');
console.log('ok');
