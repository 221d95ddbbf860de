import http from 'k6/http';
export const options = { iterations: 1, blockHostnames: ['blocked.test'], blacklistIPs: ['127.0.0.3/32'] };
export default function () {
  const r = http.get(`${__ENV.BASE}/to?code=302&url=${encodeURIComponent('http://blocked.test/')}`);
  console.log(r.status, r.error_code, r.error);
  for (const one of http.batch(['http://blocked.test/', 'http://127.0.0.3/', `${__ENV.BASE}/json`])) console.log(one.status, one.error_code, one.error);
}
