import http from 'k6/http';
import { check } from 'k6';
export const options = { iterations: 1 };

const o = { list: 3, of: () => ({}) };
const [v, f] = ['a text', (x) => x];
const uses = [
  () => o.missing(v),
  () => o.missing(1, v, true),
  () => o.missing(v.length, null),
  () => o.missing({ a: v, b: [f(v)] }),
  () => o.missing(`a ${v}`),
  () => o.missing(v === 'x' ? 1 : v),
  () => o.missing(JSON.stringify(v)),
  () => o.missing(f('('), v),
  () => o.of().missing(v),
  () => o['a key'](v),
  () => o.list.forEach(f),
  () => console.log(o.missing(v)),
  () => http.delete(v, null, { tags: { v } }),
  () => console.assert(false, 'x'),
  () =>
    o.missing(
      v,
      // (a comment
      { headers: { [v]: v } },
    ),
  () => check(v, { 'is missing': (text) => text.missing(v) }),
  () => new o.missing(v),
];

export default function () {
  for (const use of uses) {
    try {
      use();
    } catch (error) {
      console.log(error.name, error.message);
    }
  }
}
