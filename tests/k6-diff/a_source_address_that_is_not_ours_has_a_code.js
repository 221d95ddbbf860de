// flags: --local-ips=192.0.2.1
// differs in log: the addresses of both ends are told in other words
import http from 'k6/http';

export const options = { iterations: 1 };

// 1213: the address cannot be bound, so nothing is sent.
export default function () {
  const r = http.get(`${__ENV.BASE}/json`);
  console.log(r.status, r.error_code, r.error);
}
