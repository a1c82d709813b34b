'use strict';
module.exports = require('l3kernel/piscina').default;
