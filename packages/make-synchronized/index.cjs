module.exports = require('l3kernel/make-synchronized');
