import http from 'k6/http';
export const options = { iterations: 1, tlsVersion: 'tls1.2' };
export default function () {
  // So that the sums of the summary have the same units.
  http.post(`${__ENV.BASE}/back`, 'x'.repeat(5000));
  const r = http.get(`${__ENV.TLS}/json`);
  console.log(r.status, r.proto, r.tls_version, r.tls_cipher_suite);
}
