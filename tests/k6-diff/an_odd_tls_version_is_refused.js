// differs in log: k6 says only which types of Go do not fit; here the message lists the versions that there are
import http from 'k6/http';
export const options = { iterations: 1, tlsVersion: 'ssl3.0' };
export default function () {
  http.get(`${__ENV.TLS}/json`);
}
