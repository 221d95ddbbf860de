// differs in log: the message says what is wrong in its own words
import http from 'k6/http';
export const options = { iterations: 1, tlsVersion: 'ssl3.0' };
export default function () {
  http.get(`${__ENV.TLS}/json`);
}
