/**
 * Wrong input on purpose: what a program in JavaScript may hand over by mistake. Each error names what was wrong, each
 * comes at once, nothing is left of it, and the next call works.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bootSync, lookup, move, task } from '../../src/index.ts';
import { acceptInto, call, makeTag, receive, self, send, setString } from '../../src/user/ipc.ts';
import { fixture, guarded, rejectionOf, systemTest, tasksOf, thrownBy } from './support.ts';

const calls = fixture('calls.ts');
const average = new URL('../../examples/04-wasm/average.wasm', import.meta.url);

const BOOT: [unknown, RegExp][] = [
  [null, /options are null; they must be an object/],
  [5, /options are 5/],
  ['worker', /options are 'worker'/],
  [[], /options are an array/],
  [() => 1, /options are a function/],
  [{ timeuot: 1 }, /no option 'timeuot'; the options are timeout/],
  [{ timeout: '5' }, /timeout is '5'; it must be a number of milliseconds/],
  [{ timeout: NaN }, /timeout is NaN/],
  [{ limits: 5 }, /limits is 5; it must be an object with tasks, threads, calls/],
  [{ limits: null }, /limits is null/],
  [{ limits: { task: 5 } }, /no limits\.task; there are tasks/],
  [{ limits: { tasks: 1e9 } }, /limits\.tasks is 1000000000; .* from 2 to \d+/],
  [{ limits: { calls: 0 } }, /limits\.calls is 0; .* from 1/],
  [{ limits: { calls: 'x' } }, /limits\.calls is 'x'/],
  [{ log: true }, /log is true; it must be a function/],
  [{ handover: 'yes' }, /handover is 'yes'; it must be true or false/],
];

guarded('options of boot that cannot be are refused, in a system and without one', async () => {
  const refused = (): void => {
    for (const [options, message] of BOOT) {
      const error = thrownBy(() => bootSync(options as never));
      assert.match(error.message, message);
      assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
    }
  };
  refused();
  const system = bootSync();
  refused();
  await system.shutdown();
});

const SPAWN: [unknown, RegExp][] = [
  [null, /spawn\(\): the options are null/],
  [[], /options are an array/],
  [{ kind: 'Worker' }, /no task kind 'Worker'; the kinds are worker, local, wasm/],
  [{ kind: 'toString' }, /no task kind 'toString'/],
  [{ name: '' }, /name is ''/],
  [{ name: 5 }, /name is 5; it must be a text/],
  [{ restart: true }, /restart is true; it must be one of 'never'/],
  [{ onTimeout: 'die' }, /onTimeout is 'die'; it must be one of 'keep', 'kill'/],
  [{ timeout: null }, /timeout is null/],
  [{ concurrency: '2' }, /concurrency is '2'; it must be a whole number/],
  [{ instances: 1e9 }, /instances is 1000000000; at most \d+ are possible/],
  [{ instances: { min: 1, max: 2, idle: 5 } }, /no instances\.idle; there are min, max, idle_ms/],
  [{ host: 5 }, /host is 5; it must be an object of functions/],
  [{ host: null }, /host is null/],
  [{ args: 'x' }, /args is 'x'; it must be an array/],
  [{ execArgv: '--inspect' }, /execArgv is '--inspect'; it must be an array/],
  [{ env: 5 }, /env is 5; it must be an object of texts/],
  [{ env: Symbol('x') }, /env is Symbol\(x\)/],
  [{ resourceLimits: 5 }, /resourceLimits is 5/],
  [{ resourceLimits: { maxOldGenerationSizeMB: 64 } }, /no resourceLimits\.maxOldGenerationSizeMB; there are maxOld/],
  // With so little V8 ends the process, not the worker.
  [{ resourceLimits: { maxOldGenerationSizeMb: -1 } }, /maxOldGenerationSizeMb is -1; it must be a number from/],
  [{ resourceLimits: { stackSizeMb: 0.01 } }, /stackSizeMb is 0\.01/],
  [{ engine: 'v8' }, /engine is 'v8'; it must be 'quickjs'/],
  [{ thread: 'passive' }, /'thread' is an option of wasm modules/],
];

systemTest('options of a task that cannot be are refused in every way of starting one', async (system) => {
  for (const [options, message] of SPAWN) {
    assert.match((await rejectionOf(system.spawn(calls, options as never))).message, message);
    assert.match(thrownBy(() => system.spawnSync(calls, options as never)).message, message);
    const first = thrownBy(() => task(calls, options as never).sync.add(1, 2));
    assert.match(first.message, new RegExp(message.source.replace('spawn', '(?:spawn|task)')));
  }
  assert.equal(tasksOf(system).length, 1, 'a refused spawn left a task');
  const t = system.spawnSync(calls);
  assert.equal(t.sync.add(1, 2), 3);
});

const WASM: [object, RegExp][] = [
  [{ memory: { page: 1 } }, /no memory\.page; there are pages/],
  [{ memory: 5 }, /memory is 5/],
  [{ limits: { tabel: 5 } }, /no limits\.tabel; there are table, depth/],
  [{ imports: 5 }, /imports is 5/],
  [{ imports: { env: 5 } }, /imports\.env is 5; it must be a task/],
  [{ wasi: { preopens: { '/x': 5 } } }, /wasi\.preopens: '\/x' is 5; it must be the path/],
  [{ wasi: { preopens: {}, readonly: true } }, /no wasi\.readonly; there are preopens, readOnly/],
];

systemTest('options of a wasm task and of a sandbox that cannot be are refused', (system) => {
  for (const [options, message] of WASM) {
    assert.match(thrownBy(() => system.spawnSync(average, options as never)).message, message);
  }
  const modules = { 'a.js': 5 } as never;
  assert.match(thrownBy(() => system.spawnSync(calls, { engine: 'quickjs', modules })).message, /'a\.js' is 5/);
  assert.equal(tasksOf(system).length, 1);
});

const MODULES: [unknown, RegExp][] = [
  [undefined, /URL or a string, not undefined/],
  [null, /not null/],
  [{}, /not an object/],
  ['', /is a directory; a path is taken from the current directory/],
  [new URL('./', import.meta.url), /conformance\/ is a directory$/],
  ['nope', /tried .*nope; a path is taken from the current directory; new URL/],
];

systemTest('a module that cannot be is refused, with what to write instead', (system) => {
  for (const [url, message] of MODULES) {
    for (const kind of ['worker', 'local'] as const) {
      assert.match(thrownBy(() => system.spawnSync(url as never, { kind })).message, message);
    }
  }
});

const WITH: [unknown, RegExp][] = [
  [undefined, /with\(\): the options are undefined/],
  [5, /options are 5/],
  [{ timeOut: 5 }, /no option 'timeOut'; the options are timeout/],
  [{ timeout: '5' }, /timeout is '5'/],
  [{ signal: new AbortController() }, /signal is an object; it must be an AbortSignal/],
  [{ borrow: 1 }, /borrow is 1/],
  [{ into: new ArrayBuffer(4) }, /into is an object; it must be a Uint8Array/],
  [{ batch: '2' }, /batch is '2'/],
];

systemTest('what is given to with, lookup, cancel and move is looked at', (system) => {
  const started = system.spawnSync(calls, { kind: 'local' });
  for (const t of [started, task(calls)]) {
    for (const [options, message] of WITH) assert.match(thrownBy(() => t.with(options as never)).message, message);
  }
  assert.match(thrownBy(() => lookup(5 as never)).message, /name of a task, not 5/);
  assert.match(thrownBy(() => lookup(Symbol('x') as never)).message, /not Symbol\(x\)/);
  assert.match(thrownBy(() => system.cancel(1n as never)).message, /thread id, not 1n/);
  assert.match(thrownBy(() => move('text' as never)).message, /not 'text'/);
  let deep = {};
  for (let i = 0; i < 2000; i++) deep = { deep };
  const { message } = thrownBy(() => started.sync.add(deep, 1));
  assert.ok(message.length < 400 && message.includes('nested'), message);
});

systemTest('the low level refuses what would hang, or be another message', () => {
  const id = self();
  assert.throws(() => receive(0, NaN), /a timeout is NaN; it must be milliseconds, or NEVER/);
  assert.throws(() => call(id, 0, NaN), RangeError);
  assert.throws(() => call(id, 0, 0, -5), RangeError);
  assert.throws(() => send(id, 0, 'x' as never), RangeError);
  for (const wrong of [[-1], [17], ['x'], [0, 9], [0, 0, 0x8000], [0, 0, -1]]) {
    assert.throws(() => makeTag(...(wrong as [number])), RangeError);
  }
  assert.throws(() => setString(0, 'text' as never), /takes a Uint8Array/);
  assert.throws(() => acceptInto(['x'] as never), /array of Uint8Arrays/);
});

const COMMANDS: [string[], number, RegExp][] = [
  [[], 2, /a command is missing/],
  [['pss'], 2, /no command 'pss'/],
  [['--hlep'], 2, /--hlep/],
  [['ps', '--jsn'], 2, /--jsn/],
  [['ps', 'a', 'b'], 2, /more than one system/],
  [['top', '--count', 'x'], 2, /count/],
  [['top', '--cuont', '1'], 2, /--cuont/],
  [['bench', 'nope'], 2, /no suite 'nope'/],
  [['bench', '--jsn'], 2, /--jsn/],
  [['run'], 2, /Usage/],
  [['run', 'nope.ts'], 2, /no file .*nope\.ts/],
  [['run', '.'], 2, /no file/],
];

guarded('a command line with a slip ends in 2 and says which', () => {
  const cli = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
  for (const [args, code, message] of COMMANDS) {
    const { status, stderr, stdout } = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });
    assert.equal(status, code, args.join(' '));
    assert.match(stderr, message);
    assert.equal(stdout, '');
  }
});
