import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const tell = (what, f) => {
    try {
      const r = f();
      console.log(what, r && r.status, r && r.error_code, r && r.error);
    } catch (e) {
      console.log(what, 'threw', e.name, e.message);
    }
  };
  for (const [name, cookies] of [['null', null], ['undefined', undefined], ['number', 3], ['text', 'a=b'], ['list', ['a']], ['numbers', { a: 1, b: true }], ['null inside', { a: null }], ['undefined inside', { a: undefined }],
    ['object', { a: { value: 'v' } }], ['replace', { a: { value: 'v', replace: true } }], ['no value', { a: {} }], ['odd replace', { a: { value: 'v', replace: 'yes' } }], ['unknown', { a: { value: 'v', other: 1 } }], ['semicolon', { a: 'x;y' }], ['quote', { a: '"x"' }], ['blank', { a: 'x y' }], ['comma', { a: 'x,y' }], ['empty', { a: '' }], ['odd name', { 'a b': 'x' }], ['not ascii', { a: 'ü' }]])
    tell(name, () => {
      const r = http.get(`${__ENV.BASE}/echo`, { cookies });
      if (r.status === 200) console.log(name, (r.json('headers.cookie') || '').split('; ').sort().join('; '));
      return r;
    });
}
