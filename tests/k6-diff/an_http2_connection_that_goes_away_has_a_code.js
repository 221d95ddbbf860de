// differs in console, log, series: a server that closes at once can hide its code behind a reset connection
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  // So that the sums of the summary have the same units.
  http.post(`${__ENV.BASE}/back`, 'x'.repeat(5000));
  for (const code of [1, 2, 11]) {
    const r = http.get(`${__ENV.FAULTS}/goaway/${code}`);
    console.log(code, r.status, r.error_code, r.error);
  }
  console.log(http.get(`${__ENV.FAULTS}/number`).status);
}
