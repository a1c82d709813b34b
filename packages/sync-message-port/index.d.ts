export * from 'l3kernel/sync-message-port';
