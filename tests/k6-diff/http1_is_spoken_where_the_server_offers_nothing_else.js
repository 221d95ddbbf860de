import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.TLS1}/json`);
  console.log(r.status, r.proto, r.tls_version);
}
