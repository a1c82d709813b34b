import makeSynchronized = require('l3kernel/make-synchronized');
export = makeSynchronized;
