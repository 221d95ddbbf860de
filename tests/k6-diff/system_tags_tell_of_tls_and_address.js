// flags: --system-tags=proto,tls_version,ip,ocsp_status,status
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  http.get(`${__ENV.TLS}/json`);
  http.get(`${__ENV.TLS12}/json`);
  http.get(`${__ENV.BASE}/json`);
}
