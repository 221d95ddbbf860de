// flags: --local-ips=192.0.2.1
// differs in log: k6 also names the local address; here a second line says that the request failed because of the machine, not the service
import http from 'k6/http';

export const options = { iterations: 1 };

// 1213: the address cannot be bound, so nothing is sent.
export default function () {
  const r = http.get(`${__ENV.BASE}/json`);
  console.log(r.status, r.error_code, r.error);
}
