export * from 'l3kernel/synckit';
