export const options = { iterations: 1 };
const say = (...all) => { if (__VU) console.log(...all); };
const attempt = (f) => { try { say('fine', f()); } catch (e) { say(e.name, e.message.slice(0, 60)); } };
attempt(() => require('./modules/nowhere.js'));
attempt(() => require('lodash'));
attempt(() => require(''));
attempt(() => require('./modules/common.js') === require('./modules/common.js'));
export default function () {
  attempt(() => require('./modules/common.js').x);
}
