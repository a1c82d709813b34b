'use strict';
// Written out, so that an import of this CommonJS module finds its names.
const { SyncMessagePort, TimeoutException } = require('l3kernel/sync-message-port');
exports.SyncMessagePort = SyncMessagePort;
exports.TimeoutException = TimeoutException;
