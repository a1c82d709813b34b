export * from 'l3kernel/sync-child-process';
