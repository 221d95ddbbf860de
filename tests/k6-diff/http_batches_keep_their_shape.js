import http from 'k6/http';
import { check } from 'k6';
export const options = { iterations: 1 };
export default function () {
  const list = http.batch([['GET', `${__ENV.BASE}/json`], `${__ENV.BASE}/status/201`]);
  const map = http.batch({ a: { method: 'POST', url: `${__ENV.BASE}/echo`, body: 'x' } });
  check(null, { list: () => list.length === 2 && list[1].status === 201, map: () => map.a.json('body') === 'x' });
}
