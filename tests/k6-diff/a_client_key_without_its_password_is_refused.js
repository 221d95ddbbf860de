import http from 'k6/http';
const cert = open(`${__ENV.KEYS}/client.pem`), key = open(`${__ENV.KEYS}/locked.key`);
export const options = { iterations: 1, tlsAuth: [{ cert, key }] };
export default function () {
  console.log(http.get(`${__ENV.MUTUAL}/json`).status);
}
