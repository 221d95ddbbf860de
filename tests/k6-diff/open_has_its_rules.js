export const options = { iterations: 1 };
const say = (...all) => { if (__VU) console.log(...all); };
const attempt = (f) => { try { say('fine', f()); } catch (e) { say(e.name, e.message.replace(/\/.*\//g, 'DIR/')); } };
attempt(() => open('./modules/folder/inner.js'));
attempt(() => open('modules/folder/inner.js', 'b').byteLength);
attempt(() => open('modules/folder/inner.js', 'x').length);
attempt(() => open('./modules/folder/nothing.txt'));
attempt(() => open(''));
attempt(() => open());
attempt(() => open('./modules').length);
export default function () { attempt(() => open('./modules/folder/inner.js')); }
