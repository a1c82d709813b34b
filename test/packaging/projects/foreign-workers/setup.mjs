// Opens the system of the process to the threads of the tests.
import { task } from 'l3kernel';

export function setup() {
  task(new URL('./store.mjs', import.meta.url), { shared: 'store' });
}
