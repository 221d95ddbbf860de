// differs in log: k6 names only the Go types that do not match; here the message lists the available versions
import http from 'k6/http';
export const options = { iterations: 1, tlsVersion: 'ssl3.0' };
export default function () {
  http.get(`${__ENV.TLS}/json`);
}
