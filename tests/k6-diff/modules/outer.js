module.exports = require("./folder/inner.js") + require("./common.js").x;
