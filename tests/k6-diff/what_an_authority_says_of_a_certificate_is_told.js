import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const address of [__ENV.GOOD, __ENV.REVOKED, __ENV.NOBODY, __ENV.TLS1, __ENV.BASE]) {
    const r = http.get(`${address}/json`);
    console.log(r.status, JSON.stringify(r.ocsp), r.tls_version, r.tls_cipher_suite);
  }
  console.log(http.OCSP_STATUS_GOOD, http.OCSP_REASON_KEY_COMPROMISE);
}
