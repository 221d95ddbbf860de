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
  for (const method of ['get', 'Get', 'GET', ' ', 'A B', 'PATCH', 'patch', 'FOO', 'foo', 'PROPFIND', 'G\nET', 'ü', 5, {}, 'CONNECT', 'TRACE', 'HEAD', 'head'])
    tell(`method ${JSON.stringify(method)}`, () => {
      const r = http.request(method, `${__ENV.BASE}/echo`);
      if (r.status === 200 && r.body) console.log(r.json('method'));
      return r;
    });
  tell('none', () => http.request());
  tell('no url', () => http.request('GET'));
}
