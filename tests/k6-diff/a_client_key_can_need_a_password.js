import http from 'k6/http';
const cert = open(`${__ENV.KEYS}/client.pem`), key = open(`${__ENV.KEYS}/locked.key`);
export const options = { iterations: 1, tlsAuth: [{ cert, key, password: 'open sesame' }] };
export default function () {
  const r = http.get(`${__ENV.MUTUAL}/json`);
  console.log(r.status, r.error_code, r.error);
}
