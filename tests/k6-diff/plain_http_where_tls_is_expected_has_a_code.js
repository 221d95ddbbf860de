import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.BASE.replace('http:', 'https:')}/json`);
  console.log(r.status, r.error_code, r.error);
}
