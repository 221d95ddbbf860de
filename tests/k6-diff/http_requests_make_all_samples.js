import http from 'k6/http';
import { check } from 'k6';
export const options = { iterations: 2, thresholds: { 'http_reqs{status:200}': ['count==2'], http_req_failed: ['rate<0.1'] } };
export default function () {
  const r = http.get(`${__ENV.BASE}/json`, { tags: { own: 'tag' } });
  check(r, { status: (r) => r.status === 200, body: (r) => r.json('name') === 'echo', proto: (r) => r.proto === 'HTTP/1.1' });
  console.log(r.status_text, r.headers['Content-Type'], r.error_code);
}
