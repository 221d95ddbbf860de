// flags: --http-debug=full --user-agent me
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  http.post(`${__ENV.BASE}/echo`, 'body');
  http.get(`${__ENV.BASE}/redirect/1`);
}
