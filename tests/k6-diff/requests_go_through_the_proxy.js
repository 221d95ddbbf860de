// env: HTTP_PROXY={RAW} NO_PROXY=direct.test
import http from 'k6/http';
export const options = { iterations: 1, userAgent: 'mine', hosts: { 'direct.test': '127.0.0.1' } };
export default function () {
  const r = http.get('http://behind.test/path?q=1', { headers: { 'X-Own': '1' } });
  console.log(r.status, r.url, r.body.replace(/\r?\n/g, '|'));
  console.log(http.get(`${__ENV.RAW}/x`).body.split('\n')[0]);
  console.log(http.get(`${__ENV.RAW.replace('127.0.0.1', 'direct.test')}/y`).body.split('\n')[0]);
}
