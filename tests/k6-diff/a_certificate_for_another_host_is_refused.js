import http from 'k6/http';
export const options = { iterations: 1, hosts: { 'wrong.test': '127.0.0.1' } };
export default function () {
  const r = http.get(`${__ENV.TLS.replace('localhost', 'wrong.test')}/json`);
  console.log(r.status, r.error_code, r.error);
}
