import http from 'k6/http';
export const options = { iterations: 1, tlsVersion: { min: http.TLS_1_2, max: http.TLS_1_2 } };
export default function () {
  for (const address of [__ENV.TLS, __ENV.TLS1, __ENV.TLS12]) {
    const r = http.get(`${address}/json`);
    console.log(r.status, r.tls_version, r.tls_cipher_suite, r.proto);
  }
  const { tlsVersion } = options;
  console.log(JSON.stringify(tlsVersion), http.TLS_1_0, http.TLS_1_1, http.TLS_1_2, http.TLS_1_3);
}
