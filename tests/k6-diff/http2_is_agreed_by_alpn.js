import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.TLS}/json`);
  console.log(r.status, r.status_text, r.proto, r.tls_version, r.tls_cipher_suite, r.json('name'));
  const post = http.post(`${__ENV.TLS}/echo`, 'x'.repeat(100000));
  console.log(post.proto, post.json('body').length, post.json('headers.content-length'));
  console.log(http.head(`${__ENV.TLS}/json`).status, http.get(`${__ENV.TLS}/status/404`).status_text);
}
