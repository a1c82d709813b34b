'use strict';
// Written out, so that an import of this CommonJS module finds its name.
const { SyncChildProcess } = require('l3kernel/sync-child-process');
exports.SyncChildProcess = SyncChildProcess;
