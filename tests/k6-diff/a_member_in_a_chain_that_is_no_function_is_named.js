import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

const o = { number: 5, nothing: null, object: {}, text: 'x', list: [1, 2], f(a, b) { return [this === o, a, b, arguments.length]; }, deep: { x: {} } };
const k = 'nope', n = 'number', m = 'f';
let u;

const calls = [
  () => o?.[k](), () => o?.[k](1), () => o?.nope(), () => o?.nope(1, k), () => o?.[n](), () => o?.deep.nope(), () => o?.deep?.nope(1), () => o?.deep?.x?.[k](1),
  () => o.nope?.(), () => o[n]?.(1), () => o?.['nope'](), () => o?.['a b'](1), () => o?.['number'](2), () => u?.x(), () => u?.[k](), () => u?.x.y.z(), () => o?.[m](1, 2), () => o?.f(1), () => (o[k])(), () => (o.f)(1), () => (o?.f)(1),
  () => o.deep?.x.nope(), () => o.deep?.x.nope({ a: 1 }), () => o?.f(o?.nope(1)), () => o?.list.forEach((i) => i.nope()), () => o?.nothing.x(), () => o?.nope.x(), () => o?.[k].x(), () => o?.f(1).nope(), () => o?.f(1)[k](),
  () => (u ?? o)?.[k](), () => o?.[Symbol.iterator](), () => o?.list?.[9](), () => o?.list?.[0](), () => u.x?.(), () => o?.nope?.x.y(), () => o.nope?.[k](), () => o.f?.()?.nope(), () => o?.deep['x']['y'](), () => [o][0]?.nope(), () => new o.nope(), () => new o[k](), () => new (o?.nope)(),
  () => u?.[k](), () => o.f?.(u?.[k]()), () => o?.deep?.[k], () => delete o?.deep.zip, () => o
    ?.deep
    // a comment
    ?.[k](1),
];

export default function () {
  calls.forEach((call, index) => attempt(index, call));
  const order = [];
  const step = (name, value) => { order.push(name); return value; };
  attempt('in order', () => [step('object', o)?.[step('key', 'f')](step('a', 1), step('b', 2)), step('object', o).f?.(...step('list', [1])), order]);
  let first = o
  o?.[m](1)
  first = [first].length
  o?.f(...[2])
  attempt('without semicolons', () => first);
}
