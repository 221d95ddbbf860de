import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.BASE}/redirect/3`);
  console.log(r.status, r.url.replace(__ENV.BASE, ''));
  const none = http.get(`${__ENV.BASE}/redirect/2`, { redirects: 0 });
  console.log(none.status, none.headers.Location);
}
