// differs in console, log, series: the code of GOAWAY is lost if the server resets the connection at the same moment; the error is then "unexpected EOF" with code 1000
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
