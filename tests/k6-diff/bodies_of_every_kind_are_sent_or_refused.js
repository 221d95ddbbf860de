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
  for (const [name, body] of [['null', null], ['undefined', undefined], ['number', 3], ['float', 1.5], ['true', true], ['list', ['a', 'b']], ['empty', {}], ['function', () => 1], ['symbol', Symbol('s')], ['big', 5n], ['date', new Date(0)], ['map', new Map([['a', 1]])], ['bytes', new Uint8Array([65, 66])], ['buffer', new Uint8Array([65, 66]).buffer], ['words', new Uint16Array([0x4241])], ['view', new DataView(new Uint8Array([65, 66, 67]).buffer, 1, 1)], ['part', new Uint8Array([65, 66, 67]).subarray(1)], ['fields', { b: 1, a: 'x y', c: [1, 'zwei'], d: true, e: 1.5, f: 'ü&=' }], ['text', 'ü'], ['nul', 'a\0b'], ['string object', new String('abc')], ['error', new Error('x')]])
    tell(name, () => {
      const r = http.post(`${__ENV.BASE}/echo`, body);
      if (r.status === 200) console.log(name, r.json('body'), r.json('headers.content-type'), r.json('headers.content-length'));
      return r;
    });
}
