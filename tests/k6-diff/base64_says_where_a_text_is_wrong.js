import { b64decode, b64encode } from 'k6/encoding';

export const options = { iterations: 1 };

const say = (what, f) => { try { const v = f(); console.log(what, typeof v, JSON.stringify(v)); } catch (e) { console.log(what, 'threw', String(e)); } };
const texts = ['', 'A', 'AB', 'ABC', 'ABCD', 'ABCDE', 'A===', 'AB=', 'AB=C', 'AB==C', 'ABC=D', 'ABCD=', 'ABCD====', '=', 'AB\n==', 'AB=\n=\n', 'AB==\nX', 'ABC\r\n=', 'A\nB', '\n', 'AB*D', 'ABCDEF*H', 'ABCDEFG=\nx', 'ABCDAB=', 'Y Q = =', '_-8', '/+8=', '_-8='];

export default function () {
  for (const text of texts) {
    for (const kind of ['std', 'rawstd', 'url', 'rawurl']) say(`${JSON.stringify(text)} ${kind}`, () => b64decode(text, kind, 's'));
  }
  for (const value of [null, undefined, 5, {}, true]) say(`decode ${value}`, () => b64decode(value, 'std', 's'));
  for (const value of [null, undefined, 5, 1.5, true, {}, [1], 5n, new Date(0), '\ud800', new DataView(new ArrayBuffer(2))]) say(`encode ${Object.prototype.toString.call(value)}`, () => b64encode(value));
  say('encode nothing', () => b64encode());
}
