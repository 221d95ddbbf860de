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
  for (const [name, tags] of [['null', null], ['undefined', undefined], ['number', 3], ['text', 'abc'], ['list', ['a']], ['numbers', { a: 1, b: 1.5, c: 1e21, d: -0 }], ['true', { a: true, b: false }],
    ['null inside', { a: null }], ['undefined inside', { a: undefined }], ['object inside', { a: {} }], ['list inside', { a: [1] }], ['function inside', { a: () => 1 }], ['symbol inside', { a: Symbol('s') }], ['empty', { '': '' }], ['system', { status: 'mine', method: 'mine', url: 'mine', name: 'named', group: 'g', proto: 'p' }], ['date', { a: new Date(0) }], ['big', { a: 5n }]])
    tell(name, () => http.get(`${__ENV.BASE}/json`, { tags }));
}
