// flags: --system-tags=ocsp_status,url,status,tls_version
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const address of [__ENV.GOOD, __ENV.REVOKED, __ENV.NOBODY, __ENV.TLS1, __ENV.BASE]) http.get(`${address}/json`);
}
