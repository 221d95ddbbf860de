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
  for (const [name, headers] of [['number', 5], ['text', 'a: b'], ['null', null], ['undefined', undefined], ['list', ['a', 'b']], ['true', true],
    ['values', { n: 1, f: 1.5, t: true, u: undefined, z: null, l: ['a', 'b'], o: { a: 1 } }], ['empty name', { '': 'x' }], ['space in name', { 'a b': 'x' }],
    ['line end in value', { a: 'x\r\nb: y' }], ['colon in name', { 'a:b': 'x' }], ['not ascii', { a: 'ü' }], ['not ascii name', { 'ä': 'x' }], ['blanks', { a: '  x  ' }]])
    tell(name, () => {
      const r = http.get(`${__ENV.BASE}/echo`, { headers });
      if (r.status === 200) console.log(name, JSON.stringify(Object.entries(r.json('headers')).filter(([k]) => !['host', 'user-agent', 'accept-encoding', 'connection'].includes(k.toLowerCase())).sort()));
      return r;
    });
}
