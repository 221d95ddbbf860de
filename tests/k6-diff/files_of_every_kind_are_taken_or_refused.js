import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const tell = (what, f) => {
    try {
      const file = f();
      console.log(what, JSON.stringify([typeof file.data, file.filename, file.content_type]));
    } catch (e) {
      console.log(what, 'threw', e.name, e.message);
    }
  };
  tell('text', () => http.file('abc', 'n'));
  tell('typed', () => http.file('abc', 'n', 't/t'));
  tell('bytes', () => http.file(new Uint8Array([1]).buffer, 'n'));
  tell('view', () => http.file(new Uint8Array([1]), 'n'));
  tell('list', () => http.file([1, 2], 'n'));
  tell('number', () => http.file(5, 'n'));
  tell('null', () => http.file(null, 'n'));
  tell('undefined', () => http.file(undefined, 'n'));
  tell('object', () => http.file({}, 'n'));
  tell('no name', () => http.file('abc').filename.length > 15 ? http.file('abc', 'long') : 0);
  tell('odd name', () => http.file('abc', 5, 6));
  tell('null name', () => http.file('abc', null));
  tell('null type', () => http.file('abc', 'x', null));
  tell('none', () => http.file());
  const r = http.post(`${__ENV.BASE}/echo`, { f: http.file('abc', 'a"b\\c.txt', 'text/plain'), n: 5, l: ['x', 'y'], t: true, z: null });
  console.log(r.status, r.json('body').replace(/[0-9a-f]{30,}/g, 'B').split('\r\n').filter((line) => !line.startsWith('--')).sort().join('|'));
}
