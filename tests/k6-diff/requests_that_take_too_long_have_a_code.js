import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const slow = http.get(`${__ENV.BASE}/delay/5000`, { timeout: 100 });
  console.log(slow.status, slow.error_code, slow.error, slow.body);
  const silent = http.post(`${__ENV.RAW}/hang`, 'x', { timeout: '100ms' });
  console.log(silent.status, silent.error_code, silent.error, silent.body);
  const tls = http.get(`${__ENV.TLS}/delay/5000`, { timeout: 300 });
  console.log(tls.status, tls.error_code, tls.error, tls.body);
}
