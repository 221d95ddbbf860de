import http from 'k6/http';
export const options = { iterations: 1, tlsCipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'] };
export default function () {
  console.log(http.get(`${__ENV.TLS12}/json`).tls_cipher_suite, http.get(`${__ENV.TLS1}/json`).tls_version);
}
