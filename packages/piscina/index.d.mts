export * from 'l3kernel/piscina';
export { default } from 'l3kernel/piscina';
