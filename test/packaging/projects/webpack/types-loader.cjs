// Takes the types out.
const { stripTypeScriptTypes } = require('node:module');

module.exports = (code) => stripTypeScriptTypes(code);
