// differs in log: k6 also names the addresses of the broken connection
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const path of ['reset', 'close', 'short', 'half-head', 'garbage', 'bad-status', 'bad-length', 'bad-chunk']) {
    const r = http.get(`${__ENV.RAW}/${path}`);
    console.log(path, r.status, r.error_code, r.error.replace(/127.0.0.1:\d+/g, 'ADDRESS'), r.body);
  }
}
