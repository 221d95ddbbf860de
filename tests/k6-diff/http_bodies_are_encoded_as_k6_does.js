import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const show = (r) => console.log(r.json('method'), r.json('headers.content-type'), r.json('body'));
  show(http.post(`${__ENV.BASE}/echo`, 'text'));
  show(http.post(`${__ENV.BASE}/echo`, { b: 'two words', a: '1', c: ['x', 'y'] }));
  show(http.put(`${__ENV.BASE}/echo`, JSON.stringify({ a: 1 }), { headers: { 'Content-Type': 'application/json' } }));
  show(http.patch(`${__ENV.BASE}/echo`, null));
  show(http.del(`${__ENV.BASE}/echo`));
}
