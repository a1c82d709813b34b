export * from 'l3kernel/make-synchronized';
export { default } from 'l3kernel/make-synchronized';
