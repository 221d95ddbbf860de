import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.BASE}/json`);
  console.log(Object.keys(r.timings).sort().join(), Object.keys(r.request).sort().join(), Object.keys(JSON.parse(JSON.stringify(r))).sort().join());
  console.log(r.remote_ip, typeof r.remote_port, r.url === `${__ENV.BASE}/json`, JSON.stringify(r.ocsp), r.timings.duration > 0, 'status' in r);
}
