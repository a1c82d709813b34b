import piscina = require('l3kernel/piscina');
export = piscina.Piscina;
