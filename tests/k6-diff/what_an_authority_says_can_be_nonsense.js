import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.NONSENSE}/json`);
  console.log(r.status, JSON.stringify(r.ocsp));
}
