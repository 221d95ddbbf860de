import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const timeout of [50, '50ms', '0.05s']) {
    const r = http.get(`${__ENV.BASE}/delay/1500`, { timeout });
    console.log(timeout, r.status, r.error_code, r.error, r.body, JSON.stringify(r.headers));
  }
  for (const timeout of ['soon', [1], {}, true]) {
    const r = http.get(`${__ENV.BASE}/json`, { timeout });
    console.log(r.status, r.error_code, r.error);
  }
}
