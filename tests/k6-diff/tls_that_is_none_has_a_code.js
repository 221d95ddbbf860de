import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const address of [__ENV.BASE, __ENV.RAW]) {
    const r = http.get(`${address.replace('http:', 'https:')}/json`);
    console.log(r.status, r.error_code, r.error, r.tls_version);
  }
}
