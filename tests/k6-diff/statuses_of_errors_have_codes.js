import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const status of [200, 204, 301, 304, 399, 400, 401, 404, 418, 429, 499, 500, 502, 503, 504, 599, 600, 999]) {
    const r = http.get(`${__ENV.BASE}/status/${status}`, { tags: { name: 'status' } });
    console.log(status, r.status, r.status_text, r.error_code, `[${r.error}]`);
  }
}
