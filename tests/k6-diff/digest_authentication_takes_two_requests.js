import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const base = __ENV.RAW.replace('http://', 'http://user:pass@');
  const r = http.get(`${base}/digest`, { auth: 'digest' });
  console.log(r.status, r.body, r.error_code);
  const none = http.get(`${__ENV.RAW}/digest`, { auth: 'digest' });
  console.log(none.status, none.error_code);
  const open = http.get(`${base}/number`, { auth: 'digest' });
  console.log(open.status);
}
