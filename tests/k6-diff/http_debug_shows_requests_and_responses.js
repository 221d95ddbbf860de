// differs in log: every request has a random number
// flags: --http-debug=full
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  http.post(`${__ENV.BASE}/echo`, 'body');
  http.get(`${__ENV.BASE}/redirect/1`);
}
