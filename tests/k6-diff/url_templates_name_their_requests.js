import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const id = 7;
  const r = http.get(http.url`${__ENV.BASE}/status/20${0}?id=${id}`);
  console.log(r.status, r.url.replace(__ENV.BASE, ''));
  http.get(http.url`${__ENV.BASE}/json`, { tags: { name: 'mine' } });
  http.batch([http.url`${__ENV.BASE}/status/${201}`, { method: 'get', url: http.url`${__ENV.BASE}/status/${202}` }]);
}
