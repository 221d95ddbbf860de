// flags: --insecure-skip-tls-verify
import http from 'k6/http';
export const options = { iterations: 1, hosts: { 'wrong.test': '127.0.0.1' } };
export default function () {
  for (const base of [__ENV.UNKNOWN, __ENV.EXPIRED, __ENV.TLS.replace('localhost', 'wrong.test')]) {
    console.log(http.get(`${base}/json`).status);
  }
}
