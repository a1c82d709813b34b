export * from 'l3kernel/tinypool';
export { default } from 'l3kernel/tinypool';
