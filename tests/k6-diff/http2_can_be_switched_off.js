// env: GODEBUG=http2client=0
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  console.log(http.get(`${__ENV.TLS}/json`).proto);
}
