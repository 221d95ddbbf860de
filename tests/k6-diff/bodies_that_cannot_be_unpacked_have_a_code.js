import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.RAW}/not-gzip`);
  console.log(r.status, r.error_code, r.error, r.body);
}
