import http from 'k6/http';
export const options = { iterations: 1 };
const attempt = (requests) => { try { const r = http.batch(requests); console.log(JSON.stringify(r.map((one) => one && [one.status, one.error_code, one.request]))); } catch (e) { console.log(e.name, e.message); } };
export default function () {
  attempt([`${__ENV.BASE}/json`, 5]);
  attempt([`${__ENV.BASE}/json`, {}]);
  attempt([`${__ENV.BASE}/json`, {}, `${__ENV.BASE}/json`]);
  attempt([['GET']]);
  attempt([`${__ENV.BASE}/json`, 'http://[::1']);
  attempt(5);
  attempt(null);
}
