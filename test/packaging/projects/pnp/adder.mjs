// The task, which imports the package by the loader of Yarn too.
import { here } from 'l3kernel';

export const add = (a, b) => a + b;
export const id = () => here.id;
