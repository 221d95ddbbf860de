export const options = { iterations: 1 };
const plain = require(`${__ENV.TLS}/module/plain.js`);
if (__VU) console.log(plain.value, plain.default);
const [asks, shy, common] = ['asks', 'shy', 'common'].map((name) => require(`${__ENV.TLS}/module/${name}.js`));
if (__VU) console.log(asks.default, shy.default, JSON.stringify(common));
const say = (...all) => { if (__VU) console.log(...all); };
const attempt = (path) => { try { require(`${__ENV.TLS}${path}`); say('fine'); } catch (e) { say(e.name, e.message.slice(0, 23)); } };
attempt('/module/none.js');
attempt('/module/local.js');
export default function () { console.log(plain.default); }
