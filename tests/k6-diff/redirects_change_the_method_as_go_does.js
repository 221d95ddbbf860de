import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const code of [301, 302, 303, 307, 308]) {
    for (const method of ['POST', 'PUT', 'HEAD', 'GET']) {
      const r = http.request(method, `${__ENV.BASE}/to?code=${code}&url=/echo`, method === 'GET' ? null : 'b');
      const body = r.body ? `${r.json('method')} ${r.json('body')} ${r.json('headers.content-length')}` : r.body;
      console.log(code, method, r.status, r.request.method, body);
    }
  }
}
