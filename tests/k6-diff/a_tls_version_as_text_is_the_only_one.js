import http from 'k6/http';
export const options = { iterations: 1, tlsVersion: http.TLS_1_3 };
export default function () {
  const r = http.get(`${__ENV.TLS}/json`);
  console.log(r.status, r.tls_version);
  console.log(http.get(`${__ENV.TLS12}/json`).error);
}
