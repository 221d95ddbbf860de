import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

export default function () {
  const text = 'tö😀';
  attempt('a text', () => ({ ...'text' }));
  attempt('a variable', () => ({ a: 1, ...text, b: 2 }));
  attempt('joined', () => ({ ...(text + 1) }));
  attempt('chosen', () => ({ ...(text ? 'yes' : {}), ...(text && 'and'), ...(text || {}) }));
  attempt('empty', () => ({ ...'' }));
  attempt('other values', () => ({ ...5, ...null, ...undefined, ...true, ...[1, 2], ...new String('ab'), ...Symbol('s') }));
  attempt('objects', () => { const o = { b: 1, [Symbol('s')]: 2, get c() { return 3; } }; return { ...o, ...{ ...o } }; });
  attempt('the rest', () => { const { 0: first, ...rest } = 'abc'; return [first, rest]; });
  attempt('the rest of an argument', () => (({ length, ...rest }) => [length, rest])('abc'));
}
