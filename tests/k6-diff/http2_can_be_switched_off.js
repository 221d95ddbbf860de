// env: GODEBUG=http2client=0
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  // So that the sums of the summary have the same units.
  http.post(`${__ENV.BASE}/back`, 'x'.repeat(5000));
  console.log(http.get(`${__ENV.TLS}/json`).proto);
}
