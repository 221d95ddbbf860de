exports.x = 5; exports.self = this === exports; exports.es = require("./live.js").n; exports.kind = typeof require("k6/http").get;
