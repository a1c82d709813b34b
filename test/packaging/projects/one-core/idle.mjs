// Calls, then a while of nothing: the CPU time of the whole process in it is next to none.
import assert from 'node:assert/strict';
import { boot } from 'l3kernel';

const system = await boot({ timeout: 20_000 });
const tasks = await Promise.all(Array.from({ length: 3 }, () => system.spawn(new URL('./adder.mjs', import.meta.url))));
for (let i = 0; i < 2000; i++) assert.equal(tasks[i % 3].sync.add(i, 1), i + 1);
assert.equal((await Promise.all(tasks.map((task) => task.async.add(1, 2)))).length, 3);
// What the starts left to do (compilers, collectors) comes to its end first.
await new Promise((resolve) => setTimeout(resolve, 300));
const before = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, 600));
const { user, system: kernel } = process.cpuUsage(before);
assert.ok(user + kernel < 150_000, `${user + kernel} us of CPU in 600 ms of nothing`);
await system.shutdown();
