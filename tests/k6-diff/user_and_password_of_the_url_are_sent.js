import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const base = __ENV.BASE.replace('http://', 'http://user:pass@');
  const r = http.get(`${base}/echo`);
  console.log(r.json('headers.authorization'), r.url.replace(/:\d+\//, ':PORT/'), r.request.url.replace(/:\d+\//, ':PORT/'));
  const own = http.get(`${base}/echo`, { headers: { Authorization: 'mine' } });
  console.log(own.json('headers.authorization'));
}
