import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  // So that the sums of the summary have the same units.
  http.post(`${__ENV.BASE}/back`, 'x'.repeat(5000));
  const r = http.get(`${__ENV.TLS1}/json`);
  console.log(r.status, r.proto, r.tls_version);
}
