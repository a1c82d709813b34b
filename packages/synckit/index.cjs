module.exports = require('l3kernel/synckit');
