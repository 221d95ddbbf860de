import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const show = (r) => (r ? `${r.status} ${r.request.method} ${r.request.body}` : String(r));
  const list = http.batch([
    `${__ENV.BASE}/echo`, ['GET', `${__ENV.BASE}/echo`, 'dropped'], ['POST', `${__ENV.BASE}/echo`, { a: 1 }],
    ['put', `${__ENV.BASE}/echo`, 'x', { tags: { name: 'put' } }], { method: 'delete', url: `${__ENV.BASE}/echo` }, { url: `${__ENV.BASE}/echo` }, { method: 'get', url: `${__ENV.BASE}/echo`, body: 'dropped' },
  ]);
  console.log(list.map(show).join(' | '));
  const map = http.batch({ z: `${__ENV.BASE}/status/204`, a: ['HEAD', `${__ENV.BASE}/json`] });
  console.log(Object.keys(map).sort().join(), show(map.z), show(map.a));
  console.log(JSON.stringify(http.batch([])), JSON.stringify(http.batch({})));
}
