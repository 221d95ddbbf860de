import http from 'k6/http';
export const options = { iterations: 1, tlsVersion: 'tls1.2' };
export default function () {
  const r = http.get(`${__ENV.TLS}/json`);
  console.log(r.status, r.proto, r.tls_version, r.tls_cipher_suite);
}
