import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const coding of ['gzip', 'deflate', 'identity']) {
    const r = http.get(`${__ENV.BASE}/encoded/${coding}`);
    console.log(coding, r.status, r.body, r.headers['Content-Encoding'], r.error_code);
  }
  const bad = http.get(`${__ENV.RAW}/not-gzip`);
  console.log(bad.status, bad.error_code, bad.body, bad.error);
}
