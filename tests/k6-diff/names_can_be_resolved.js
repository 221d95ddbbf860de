export const options = { iterations: 1 };
const say = (...all) => { if (__VU) console.log(...all); };
const attempt = (name) => { try { say(import.meta.resolve(name).replace(/\/[^ ]*\//, '/DIR/')); } catch (e) { say(e.name, e.message); } };
for (const name of ['./a.js', '../b.js', 'k6/http', 'lodash', 'https://h.test/x.js', '']) attempt(name);
export default function () { attempt('./later.js'); }
