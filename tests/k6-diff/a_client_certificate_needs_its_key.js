import http from 'k6/http';
const cert = open(`${__ENV.KEYS}/client.pem`);
export const options = { iterations: 1, tlsAuth: [{ cert, key: cert }] };
export default function () {
  console.log(http.get(`${__ENV.MUTUAL}/json`).status);
}
