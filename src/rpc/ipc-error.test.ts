/**
 * What a program and a person see of an IpcError: properties, its printed form, the message of a wrong name.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { IpcError, noSuchMethod } from './ipc-error.ts';

test('an error carries its code and details', () => {
  const cause = new Error('why');
  const details = { phase: 'receive', task: 'adder', method: 'add', elapsed_ms: 50.5, cause } as const;
  const error = new IpcError('ERR_IPC_TIMEOUT', "'adder'.add did not answer within 50 ms", details);
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'IpcError');
  assert.equal(error.code, 'ERR_IPC_TIMEOUT');
  assert.equal(error.phase, 'receive');
  assert.equal(error.task, 'adder');
  assert.equal(error.method, 'add');
  assert.equal(error.elapsed_ms, 50.5);
  assert.equal(error.cause, cause);
  assert.equal(String(error), "IpcError: 'adder'.add did not answer within 50 ms");
});

test('an unknown detail is not a property', () => {
  const error = new IpcError('ERR_IPC_SHUTDOWN', 'the system is shut down', { task: undefined, cause: undefined });
  assert.deepEqual(Object.keys(error), ['code']);
  assert.equal('cause' in error, false);
  assert.equal(error.phase, undefined);
});

test('a false detail is kept', () => {
  const error = new IpcError('ERR_IPC_ABORTED', 'aborted', { cause: null, elapsed_ms: 0, task: '' });
  assert.equal(error.cause, null);
  assert.equal(error.elapsed_ms, 0);
  assert.equal(error.task, '');
});

test('the stack starts with name and message and ends the constructor above its caller', () => {
  function failingCaller(): IpcError {
    return new IpcError('ERR_IPC_PEER_GONE', 'gone');
  }
  const lines = failingCaller().stack!.split('\n');
  assert.equal(lines[0], 'IpcError: gone');
  assert.match(lines[1]!, /failingCaller/);
});

test('inspection shows name, message, known details and cause', () => {
  const error = new IpcError('ERR_IPC_SPAWN_FAILED', 'no start', { phase: 'spawn', cause: new TypeError('inner') });
  const text = inspect(error);
  assert.match(text, /^IpcError: no start\n {4}at /);
  assert.match(text, /code: 'ERR_IPC_SPAWN_FAILED'/);
  assert.match(text, /phase: 'spawn'/);
  assert.match(text, /\[cause\]: TypeError: inner/);
  assert.doesNotMatch(text, /undefined|name:|task|method|elapsed/);
});

test('a wrong name is answered with the exports and the near miss', () => {
  const error = noSuchMethod('adder', 'ad', ['add', 'multiply']);
  assert.equal(error.code, 'ERR_IPC_NO_SUCH_METHOD');
  assert.equal(error.phase, 'send');
  assert.equal(error.task, 'adder');
  assert.equal(error.method, 'ad');
  assert.equal(error.message, "task 'adder' has no function 'ad'; did you mean 'add'? It exports: add, multiply.");
});

test('a near miss is a slip and not another word', () => {
  const meant = (name: string, exports: string[]): string | undefined =>
    /did you mean '(.*?)'/.exec(noSuchMethod('t', name, exports).message)?.[1];
  assert.equal(meant('compileAsnyc', ['compile', 'compileAsync']), 'compileAsync');
  assert.equal(meant('readfile', ['readFile', 'readFiles']), 'readFile');
  assert.equal(meant('dad', ['add']), 'add');
  assert.equal(meant('dda', ['add']), undefined);
  assert.equal(meant('da', ['ad']), 'ad');
  assert.equal(meant('subtract', ['add', 'multiply']), undefined);
  assert.equal(meant('x', ['y']), 'y');
  assert.equal(meant('', ['add']), undefined);
  assert.equal(meant('defualt', ['default']), 'default');
});

test('a task without functions says so', () => {
  assert.match(noSuchMethod('empty', 'add', []).message, /has no function 'add'\. It exports no functions\.$/);
});

test('long lists and long names are cut', () => {
  const exports = Array.from({ length: 100 }, (_, index) => `function${index}`);
  const error = noSuchMethod('big', 'z'.repeat(100_000), exports);
  assert.match(error.message, /function23 and 76 more\.$/);
  assert.ok(error.message.length < 1000);
});
