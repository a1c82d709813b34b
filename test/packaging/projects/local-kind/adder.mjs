// The task.
import { here } from 'l3kernel';

export const add = (a, b) => a + b;
export const later = async (x) => x;
export const id = () => here.id;
export const thread = () => process.getBuiltinModule('node:worker_threads').threadId;
