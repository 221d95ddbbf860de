import http from 'k6/http';

export const options = { iterations: 1 };

const say = (what, f) => { try { const v = f(); console.log(what, v.name, '|', v.url, '|', v.clean_url); } catch (e) { console.log(what, 'threw', String(e)); } };

export default function () {
  for (const args of [[], [5], ['x'], [true], [null], [undefined], [[]], [{}], [['http://x/']], [['a', 'b', 'c'], 1], [['a', 'b'], null], [['a', 5], 'q']]) say(JSON.stringify(args), () => http.url(...args));
  say('odd values', () => http.url`http://x/${{}}-${null}-${undefined}-${[1, 2]}-${true}-${1.5}`);
  say('user', () => http.url`http://u:p@x/${1} y`);
  say('blanks', () => http.url`http://x/a b?c=d e`);
  say('letters', () => http.url`http://x/ü`);
}
