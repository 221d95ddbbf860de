import http from 'k6/http';
export const options = { iterations: 1, tlsVersion: { min: http.TLS_1_3, max: http.TLS_1_3 } };
export default function () {
  const r = http.get(`${__ENV.TLS12}/json`);
  console.log(r.status, r.error_code, r.error);
}
