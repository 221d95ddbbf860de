import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  http.get(`${__ENV.BASE}/set?cookie=first%3D1%3B%20Path%3D/`);
  const r = http.get(`${__ENV.BASE}/to?url=/echo`, { cookies: { own: 'o' } });
  console.log(r.json('headers.cookie').split('; ').sort().join(), JSON.stringify(Object.entries(r.request.cookies).sort()), JSON.stringify(http.cookieJar().cookiesForURL(__ENV.BASE)));
}
