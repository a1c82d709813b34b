// The task.
import { here } from 'l3kernel';

export const add = (a, b) => a + b;
export const id = () => here.id;
