// differs in log: k6 also names the addresses of the broken connection
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.RAW}/reset`);
  console.log(r.status, r.error_code, r.error.replace(/127.0.0.1:\d+/g, 'ADDRESS'));
  const p = http.post(`${__ENV.RAW}/reset`, 'x'.repeat(10));
  console.log(p.status, p.error_code, p.error.replace(/127.0.0.1:\d+/g, 'ADDRESS'));
}
