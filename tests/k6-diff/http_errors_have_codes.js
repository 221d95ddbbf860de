import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const code of [400, 404, 503]) {
    const r = http.get(`${__ENV.BASE}/status/${code}`, { tags: { name: 'status' } });
    console.log(r.status, r.error_code, `[${r.error}]`);
  }
  const refused = http.get('http://127.0.0.1:1/');
  console.log(refused.status, refused.error_code);
}
