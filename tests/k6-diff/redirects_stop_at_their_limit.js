import http from 'k6/http';
export const options = { iterations: 1, maxRedirects: 2 };
export default function () {
  const show = (r) => console.log(r.status, r.url.replace(__ENV.BASE, ''), r.headers.Location, r.error_code);
  show(http.get(`${__ENV.BASE}/redirect/2`));
  show(http.get(`${__ENV.BASE}/redirect/5`));
  show(http.get(`${__ENV.BASE}/redirect/5`, { redirects: 3 }));
  show(http.get(`${__ENV.BASE}/redirect/5`, { redirects: 10 }));
}
