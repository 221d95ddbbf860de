import http from 'k6/http';
const [cert, key] = ['pem', 'key'].map((kind) => open(`${__ENV.KEYS}/client.${kind}`));
export const options = { iterations: 1, tlsAuth: [{ cert, key, domains: ['elsewhere.test'] }] };
export default function () {
  // So that the sums of the summary have the same units.
  http.post(`${__ENV.BASE}/back`, 'x'.repeat(5000));
  const r = http.get(`${__ENV.MUTUAL}/json`);
  console.log(r.status, r.error_code, r.error);
}
