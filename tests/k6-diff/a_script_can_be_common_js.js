const http = require('k6/http');
const { check } = require('k6');
const live = require('./modules/live.js');
module.exports.options = { iterations: 1 };
module.exports.default = function () {
  check(http.get(`${__ENV.BASE}/json`), { ok: (r) => r.status === 200 });
  console.log(live.n, live.default, typeof module, typeof exports, require === undefined);
};
